"""Every hostile input that was once answered badly, as a command line of corpus/commands.jsonl, is an answer or one message."""

import gzip
import json
import os
import resource
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hostile import ask, faults_of_files

from roi.scenario.yaml import read_yaml

pytestmark = pytest.mark.full
CORPUS = Path(__file__).parent / "corpus"
ROWS = [json.loads(line) for line in (CORPUS / "commands.jsonl").read_text(encoding="utf-8").splitlines()]
LARGE = ("bomb.json.gz", "bomb.jsonl.gz", "many.json", "sparse.yaml", "/dev/zero")
EVIL = "x\nseed: 9\x1b[31m\ndraws: 1"
"""A name with a line that is a field, and a colour."""
MOST_KIB = 1_600_000
"""Resident memory of a command, whatever it reads."""


def name_of(row):
    """What the test of a row is called."""
    return f"{row['what']}: {ascii(' '.join(row['run']))[1:-1][:60]}".replace("\\", "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The corpus, and beside it what is too large, or no file, to be kept in it."""
    made = tmp_path_factory.mktemp("corpus")
    shutil.copytree(CORPUS, made, dirs_exist_ok=True)
    with (made / "sparse.yaml").open("wb") as file:
        file.truncate(6 << 30)
    ones, spaces = gzip.compress(b"1," * (8 << 20)), gzip.compress(b" " * (16 << 20))
    (made / "bomb.json.gz").write_bytes(gzip.compress(b"[") + ones * 200)
    (made / "bomb.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1') + spaces * 200)
    (made / "many.json").write_text('{"data": [' + "{}," * 12_000_000 + "{}]}")
    (made / "digits.json").write_text('{"schema": "roi.comparison/3", "model_type": "llama", "id": ' + "9" * 10_000 + "}")
    (made / "deep.json").write_text('{"schema":' + "[" * 100_000)
    (made / "bytes.json").write_bytes(bytes(range(256)) * 8)
    (made / "wide.csv").write_text(",".join(f"c{k}" for k in range(20_000)) + "\n" + "1," * 19_999 + "1\n")
    (made / "long.csv").write_text("id,gpu\n" + "1,2\n" * 300_000)
    far = {"metadata": {"request_start_ns": 1e300}, "metrics": {"time_to_first_token": {"value": 1}}}
    (made / "far.jsonl").write_text(json.dumps(far | {"metrics": far["metrics"] | {"output_sequence_length": {"value": 2}}}))
    (made / "beyond.csv").write_text((CORPUS / "training.csv").read_text().replace(",2,4,", f",2,{'9' * 20},"))
    hours = {"window": {"start": "2026-12-01", "end": "2027-01-01"}, "gpuHours": 10**400, "gpuCost": 8}
    (made / "hours.json").write_text(json.dumps({"data": [{"x": hours}]}))
    (made / "twice.csv").write_text("id,system,score,score\n" + "".join(f"{k},gpt-6-sol,1,0\n" for k in range(30)))
    (made / "twice.json").write_text((CORPUS / "config.json").read_text().rstrip()[:-1] + ', "hidden_size": 8}')
    (made / "target.md").touch()
    (made / "link.md").symlink_to("target.md")
    for name, odd in (("ids", {"id": EVIL}), ("systems", {"id": "1"})):
        answers = [{**odd, "system": system, "score": 1} for system in ("gpt-6-sol", EVIL if name == "systems" else "x")]
        (made / f"odd-{name}.jsonl").write_text("\n".join(map(json.dumps, answers)))
    (made / "loop").symlink_to("loop")
    for number in range(1, 5):
        os.mkfifo(made / f"pipe-{number}")
    config = json.loads((CORPUS / "config.json").read_text())
    for row in ROWS:
        if row["run"][0] == "fit" and row["run"][1].startswith("config-"):
            key = row["run"][1].removeprefix("config-").removesuffix(".json")
            (made / row["run"][1]).write_text(json.dumps(config | {key: WRONG[key]}))
    saved(made)
    geometry(made / "geometry.parquet")
    return made


WRONG = {
    "num_key_value_heads": "x", "max_position_embeddings": 10**11, "hidden_size": 10**400, "num_hidden_layers": 10**11,
    "vocab_size": -1, "head_dim": 1.5, "model_type": 7, "rope_theta": 10**400, "num_attention_heads": {},
    "intermediate_size": 10**9, "tie_word_embeddings": "x", "text_config": [0], "rope_scaling": "yarn",
    "num_experts_per_tok": "2", "sliding_window": [4096],
}  # fmt: skip


def saved(folder):
    """A saved comparison with one thing wrong in each."""
    text = ask(["compare", str(CORPUS / "scenario.yaml"), "--draws", "0", "--format", "json"]).stdout

    def write(name, change):
        body = json.loads(text)
        change(body)
        (folder / f"saved-{name}.json").write_text(json.dumps(body))

    def fact(path, **parts):
        return lambda body: body["case"][path].update(parts)

    price = next(path for path, held in json.loads(text)["case"].items() if "input" in path and "Mtok" in held["unit"])
    write("requests", fact("workload.requests_per_day", value=-5, low=None, high=None))
    write("errors", fact("systems.gpt-6-sol.error_rate", value=2, low=None, high=None))
    write("price", fact(price, value=[-1.0], low=None, high=None))
    write("day", fact("as_of", value="x"))
    write("null", fact("workload.input_tokens", value=None))
    write("text", fact("people.usd_per_hour", value="x", low=None, high=None))
    write("without", lambda body: body["case"].pop("options.stay.uses_cache", None) or body["case"].popitem())
    write("nan", lambda body: body["scenario"].update(title=[float("nan")]))
    write("free", lambda body: body["case"].update({"options.stay.plans.0.gpu": body["case"]["title"]}))
    write("unsigned", lambda body: body.pop("digest"))
    write("version", lambda body: body.update(roi_version="1\n2"))
    write("requests-text", fact("workload.requests_per_day", value="0", low=None, high=None))
    capacity = {"value": -1.0, "unit": "requests/s", "basis": "stated", "source": "x"}
    write("capacity", lambda body: body["case"].update({"options.stay.plans.0.capacity_requests_per_s": capacity}))
    write("figure", lambda body: body["options"][0].update(npv_usd=10**400))
    write("signpost", lambda body: body["signposts"][0].update(today=10**400))
    write("never", fact("people.wage_growth_per_year", value=-1))


def geometry(path):
    """A Parquet file whose column says that it holds GEOMETRY, and holds no such thing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    column = {"encoding": "WKB", "geometry_types": []}
    geo = json.dumps({"version": "1.1.0", "primary_column": "input", "columns": {"input": column}})
    table = pa.table({"time": ["2026-10-01"], "input": [b"\x00\x01"], "output": [3]})
    pq.write_table(table.replace_schema_metadata({"geo": geo}), path)


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_what_was_once_answered_badly_is_answered(row, folder, large, monkeypatch):
    monkeypatch.setattr("roi.disk.WAIT_S", 0.1)
    monkeypatch.chdir(folder)
    command = [word.replace("@300", "x" * 300).replace("@9", "9" * 5_000) for word in row["run"]]
    if is_large(row):
        code, said, faults, peak_kib = large[tuple(row["run"])]
        assert faults == []
        assert peak_kib < MOST_KIB
    else:
        answer = ask(command)
        assert answer.faults == ()
        code, said = answer.exit_code, answer.stdout + answer.stderr
    assert (code, row["told"] in " ".join(said.split())) == (row["exit"], True), said[-600:]
    assert faults_of_files(folder) == []
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert all((folder / name).is_symlink() for name in ("link.md",))
    assert all((folder / path.name).read_bytes() == path.read_bytes() for path in CORPUS.iterdir())


def test_a_name_cannot_end_a_comment_and_become_a_field(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for kind, rest in (("usage", ["--task", EVIL, "--tasks", "0"]), ("quality", ["--incumbent", "gpt-6-sol"])):
        file = Path(f"{EVIL}.{kind}")
        text = (CORPUS / {"usage": "usage.csv", "quality": "results.jsonl"}[kind]).read_text(encoding="utf-8")
        text = text.replace("luna,", "sol,") if kind == "usage" else text
        file.write_text(text.replace("tickets", f'"{EVIL}"').replace("mail", f'"{EVIL}"'), encoding="utf-8")
        assert ask([kind, str(file), *rest, "--output", "made.yaml"]).faults == ()
        part = Path("made.yaml").read_text(encoding="utf-8")
        assert {"seed", "draws"} & read_yaml(Path("made.yaml")).keys() == set()
        assert "\x1b" not in part
        Path("made.yaml").unlink()
    assert ask(["init", "made.yaml", "--usage", f"{EVIL}.usage"]).faults == ()
    assert "draws" not in read_yaml(Path("made.yaml"))
    Path("made.yaml").unlink()


APART = """
import json, resource, sys
sys.path.insert(0, sys.argv[1])
from hostile import ask

for command in json.load(sys.stdin):
    answer = ask(command)
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([command, [answer.exit_code, answer.stdout + answer.stderr, answer.faults, peak_kib]]), flush=True)
"""


def is_large(row):
    """True where what is read could fill the memory: it is read in another process."""
    return any(name in row["run"] for name in LARGE)


@pytest.fixture(scope="module")
def large(folder):
    """(Exit code, what was said, faults, peak of resident memory until then in KiB) of every large row, by its command.

    One process reads them all: its peak stays below the limit only if that of each does.
    """
    return asked_apart([row["run"] for row in ROWS if is_large(row)], folder)


def asked_apart(commands, folder, **surroundings):
    """The same of these commands, asked in their order by one new process."""
    support = str(Path(__file__).parents[1] / "support")
    done = subprocess.run([sys.executable, "-c", APART, support], input=json.dumps(commands), capture_output=True, text=True,
                          timeout=600, check=False, cwd=folder, env=os.environ | surroundings)
    found = {tuple(command): answer for command, answer in map(json.loads, done.stdout.splitlines())}
    assert len(found) == len(commands), f"the next one ended the process: {commands[len(found)]}\n{done.stderr[-600:]}"
    return found


TOLD = (
    "usage usage.csv --tasks 0 --format json", "fit llama-3.1-8b --full", "quality results.jsonl --incumbent gpt-6-sol",
    "validate training.csv", "calibrate training.csv", "next scenario.yaml --draws 64", "help workload", "prices ml-xyz",
    "track scenario.yaml --bill bill.csv --draws 64", "compare scenario.yaml --full --draws 64", "prices a001",
    "compare scenario.yaml --set quality.scores.modle=0.9 --set a=1 --set b=2", "fit qwen3-8b --gpu h1000",
)
"""Commands that answer, or name what is nearest of many."""


def test_what_is_told_does_not_depend_on_the_order_of_a_set(folder, tmp_path):
    """Python orders a set of names anew in every process. Rows that write, measure or wait for a pipe are left out."""
    left_out = ("--output", "--html", "--xlsx", "--csv", "init", "add", "profile", "pipe-", "loop", "@")
    rows = [row["run"] for row in ROWS if not is_large(row) and not any(word.startswith(left_out) for word in row["run"])]
    commands = [*map(str.split, TOLD), *map(list, dict.fromkeys(map(tuple, rows)))]
    first, second = ({command: answer[:3] for command, answer in asked_apart(
        commands, folder, PYTHONHASHSEED=seed, XDG_CACHE_HOME=str(tmp_path / seed)).items()} for seed in "12")
    assert {command: (told, second[command]) for command, told in first.items() if told != second[command]} == {}


def test_a_limit_of_memory_is_a_limit_of_this_test(large):
    """The peak is read in KiB, as Linux counts it."""
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < MOST_KIB
    assert min(peak_kib for *_, peak_kib in large.values()) > 20_000
