"""What lies beside a config.json: damaged safetensors are one message, and a pickle, or code, is never loaded."""

import json
import pickle
from pathlib import Path

import pytest
from hostile import ask

pytestmark = pytest.mark.full
CORPUS = Path(__file__).parent / "corpus"
SMALL = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 16, "intermediate_size": 32, "vocab_size": 64,
    "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 4096,
}  # fmt: skip
NAME = "model.norm.weight"


def header(text: str, body: bytes = b"\0" * 64, size: int | None = None) -> bytes:
    """A safetensors file: the header's length in 8 bytes, the header, the tensors."""
    return (len(text) if size is None else size).to_bytes(8, "little") + text.encode() + body


def tensor(**parts: object) -> str:
    """The header of one tensor, changed."""
    return json.dumps({NAME: {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]} | parts})


DAMAGED = {
    "nothing": b"", "seven bytes": b"1234567", "a header without end": header("{}", size=2**63),
    "a header of 4 GB": header("{}", size=2**32),
    "no JSON": header("{]"), "a list": header("[]"), "deep": header('{"a":' * 10_000), "no tensor": header("{}", b""),
    "offsets beyond the file": header(tensor(data_offsets=[0, 10**18])),
    "offsets backwards": header(tensor(data_offsets=[64, 0])),
    "a negative offset": header(tensor(data_offsets=[-64, 0])), "a shape of 10^400": header(tensor(shape=[10**400])),
    "a shape that overflows": header(tensor(shape=[2**40, 2**40])), "a shape as text": header(tensor(shape="16")),
    "an unknown type": header(tensor(dtype="F33")), "another shape": header(tensor(shape=[4, 4])),
    "half of it": header(tensor(), b"\0" * 32),
    "not UTF-8": b"\x02" + b"\0" * 7 + b"\xff\xfe", "a pickle by that name": pickle.dumps({NAME: 1}),
}  # fmt: skip


PICKLES = ("pytorch_model.bin", "model.pt", "model.pth", "adapter_model.bin", "training_args.bin", "optimizer.pt", "model.ckpt")
CODE = ("planted.py", "modeling_llama.py", "configuration_llama.py", "conftest.py", "__init__.py")
INDEXES = (
    '{"weight_map": {"a": "../../../../etc/passwd"}}', '{"weight_map": {"a": "pytorch_model.bin"}}', "[]", "{", "{}",
    '{"weight_map": 7}', '{"metadata": {}, "weight_map": {"a": 7}}',
)  # fmt: skip


class Planted:
    """What makes a file where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return open, (str(self.marker), "w")  # type: ignore[return-value]


@pytest.fixture
def weights(tmp_path):
    """A folder of weights with pickles and code in every place where one may be looked for, and the file they would make."""
    folder, marker = tmp_path / "weights", tmp_path / "it-ran"
    folder.mkdir()
    code = {"AutoConfig": "planted.Planted", "AutoModelForCausalLM": "planted.Planted"}
    (folder / "config.json").write_text(json.dumps({**SMALL, "auto_map": code}))
    for name in PICKLES:
        (folder / name).write_bytes(pickle.dumps(Planted(marker)))
    for name in CODE:
        (folder / name).write_text(f"open({str(marker)!r}, 'w')\n")
    return folder, marker


def profiled(folder: Path):
    """The answer of a short run on the folder's weights."""
    own = folder.parent / "own"
    words = ("--device", "cpu", "--weights", str(folder), "--micro-batch", "1", "--seq", "16", "--rank", "2", "--budget", "20s")
    answer = ask(["profile", "train", *words, "--profiles", str(own)])
    return answer, own


def test_a_pickle_and_code_beside_a_configuration_are_never_loaded(weights):
    folder, marker = weights
    for where in (folder, folder / "config.json"):
        answer = ask(["fit", str(where), "--gpu", "L4"])
        assert (answer.faults, answer.exit_code) == ((), 0)
    answer, own = profiled(folder)
    assert (answer.faults, answer.exit_code) == ((), 2)
    assert answer.stderr.startswith("roi: --weights: cannot load")
    assert not marker.exists()
    assert not own.exists()


@pytest.mark.parametrize("content", DAMAGED.values(), ids=list(DAMAGED))
def test_a_damaged_file_of_weights_is_one_message(content, weights):
    folder, marker = weights
    (folder / "model.safetensors").write_bytes(content)
    answer, own = profiled(folder)
    assert (answer.faults, answer.exit_code) == ((), 2)
    assert "--weights: " in answer.stderr
    assert not marker.exists()
    assert not own.exists()


@pytest.mark.parametrize("index", INDEXES)
def test_an_index_of_weights_that_names_something_else_is_one_message(index, weights):
    folder, marker = weights
    (folder / "model.safetensors.index.json").write_text(index)
    answer, own = profiled(folder)
    assert (answer.faults, answer.exit_code) == ((), 2)
    assert not marker.exists()
    assert not own.exists()
