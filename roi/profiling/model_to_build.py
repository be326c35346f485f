"""Which model to build: of the catalog, of a local folder, a small one; and what it is then called.

Small models: the one that a CPU trains when none is named, and smaller ones of a catalog architecture.
"""

from math import lcm
from pathlib import Path
from typing import Any, Final, NamedTuple

from roi.catalog.models.config_shapes import shape_of_config
from roi.catalog.models.configs import ModelConfig, model_config, read_config
from roi.catalog.models.hub import is_hub_name, read_hub_model
from roi.catalog.models.shapes import find_model
from roi.errors import InputError, nearest_file
from roi.facts.model import ModelShape

TINY: Final = "tiny-llama"
"""Name of the model that a CPU trains when none is given."""
TINY_CONFIG: Final[dict[str, Any]] = {
    "model_type": "llama", "hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 64, "vocab_size": 1024, "max_position_embeddings": 4096, "tie_word_embeddings": False,
}
"""A llama of 3.5 million parameters. Every output width is a multiple of 32: bitsandbytes' CPU kernel packs 4-bit rows so."""
TINY_MODEL: Final = ModelConfig(TINY, TINY_CONFIG, "")
MULTIPLE: Final = 32
"""Widths of shrunk models are rounded down to multiples of it: bitsandbytes' CPU kernel packs 4-bit rows so."""
LAYER_ENTRIES: Final = ("num_hidden_layers", "n_layer")
WIDTH_ENTRIES: Final = (
    "hidden_size", "intermediate_size", "moe_intermediate_size", "shared_expert_intermediate_size", "intermediate_size_mlp",
    "ffn_dim", "vocab_size", "n_embd", "vocab_size_per_layer_input", "hidden_size_per_layer_input",
)
MOST_SHRUNK: Final = 1024
"""What is divided by more is no model: every width is MULTIPLE."""
QUERY_HEADS: Final = ("num_attention_heads", "n_head")
HEAD_ENTRIES: Final = (*QUERY_HEADS, "num_key_value_heads", "num_kv_heads", "num_global_key_value_heads")
PER_LAYER: Final = ("layer_types", "mlp_layer_types", "no_rope_layers")
"""Lists with one entry a layer."""


class ModelToBuild(NamedTuple):
    """A model as transformers takes it, with the name that the profile gives it."""

    name: str
    """The model's name as the profile has it; that of a shrunk model says what was done."""
    config: dict[str, Any]  # Any: JSON
    shape: ModelShape | None
    """The model for the closed form: the catalog's, or as `roi fit` reads it from a config.json; None where there is none."""
    shrunk: bool = False
    """True where the model is a small one on purpose: a CPU then takes any size that its memory holds."""
    notes: tuple[str, ...] = ()
    """What a reader must know; says why where there is no closed form."""
    listed: bool = True
    """True where the name is one that is known: targets that its shape lacks are then an error."""
    weights: Path | None = None
    """Folder of real weights; None: drawn at random."""


def choose_model_to_build(model: str | None, weights: Path | None, device: str, layers: int | None = None,
                          divisor: int = 1) -> ModelToBuild:
    """The model that was asked for: a path where one exists, else a name of the catalog, else (on a CPU) a tiny one."""
    if weights is not None and (layers is not None or divisor != 1):
        raise InputError("--weights: real weights keep their shape; leave out --layers and --shrink")
    if weights is not None and not weights.is_dir():
        raise InputError(f"--weights: {weights} is not a folder; it should hold config.json and safetensors")
    named = _named(model, weights, device)
    if layers is None and divisor == 1:
        return named._replace(shrunk=named.name == TINY, weights=weights)
    small, said = shrink_config(named.config, layers, divisor)
    made = _read(ModelConfig(f"{named.name} ({said})", small, ""))
    return made._replace(shrunk=True, notes=(
        *(named.notes if named.listed else ()), *made.notes,
        f"not {named.name} itself but {said}: times and memory are not those of the whole model",
    ))


def _named(model: str | None, weights: Path | None, device: str) -> ModelToBuild:
    if model is None and weights is None:
        if device != "cpu":
            raise InputError("MODEL: none was given; a name of the catalog (llama-3.1-8b), or a folder with a config.json")
        return _read(TINY_MODEL)._replace(listed=True, notes=("no MODEL was given: a llama of 3.5 million parameters ran",))
    if model is None or Path(model).exists():
        return _read(read_config(weights if model is None and weights is not None else Path(str(model))))
    if model == TINY:
        return _read(TINY_MODEL)._replace(listed=True)
    if is_hub_name(model):
        read = read_hub_model(model)
        built = _read(read.config)
        return built if built.shape is None else built._replace(shape=read.check(built.shape))
    if model.startswith(("/", "./", "../", "~")) or model.endswith((".json", ".gguf", ".safetensors")):
        raise InputError(f"MODEL: no file or folder {model[:80]!r}{nearest_file(Path(model), folders=True)}")
    shape = find_model(model, "MODEL")
    found = model_config(shape)
    if weights is not None:
        config = read_config(weights, "--weights").entries
        for entry, wanted in (("hidden_size", shape.hidden), ("num_hidden_layers", shape.layers), ("vocab_size", shape.vocab)):
            held = config.get(entry)
            if held is not None and held != wanted:
                raise InputError(f"--weights: {weights} has {entry} {held}, but {shape.id} has {wanted}; leave MODEL out")
    return ModelToBuild(shape.id, found.entries, shape, notes=(found.differs,) if found.differs else ())


def _read(config: ModelConfig) -> ModelToBuild:
    """A model of no catalog name, with the shape that `roi fit` reads from the same entries, or a note why there is none."""
    try:
        return ModelToBuild(config.name, config.entries, shape_of_config(config), listed=False)
    except InputError as error:
        why = str(error).removeprefix("MODEL: ").removeprefix(f"{config.name}: ")
        return ModelToBuild(config.name, config.entries, None, notes=(f"predicted: no closed form ({why})",), listed=False)


def shrink_config(config: dict[str, Any], layers: int | None, divisor: int) -> tuple[dict[str, Any], str]:
    """(A configuration with the first `layers` layers and widths divided by `divisor`, what was done, for the name).

    Widths are rounded down to multiples of MULTIPLE, at least one; heads are divided too, at least one kept. Head width,
    experts and ranks of latent attention stay. The result is a model of its own: its times say nothing about the whole one.
    """
    if not 1 <= divisor <= MOST_SHRUNK:
        raise InputError(f"--shrink: {divisor} is not usable; a whole number from 1 to {MOST_SHRUNK:,}")
    small = dict(config)
    said = []
    depth = next((int(config[name]) for name in LAYER_ENTRIES if name in config), 0)
    if layers is not None:
        if not 1 <= layers <= depth:
            raise InputError(f"--layers: {layers} is not usable; this model has {depth} (1 to {depth})")
        small |= {name: layers for name in LAYER_ENTRIES if name in config}
        small |= {name: list(config[name])[:layers] for name in PER_LAYER if isinstance(config.get(name), list)}
        said.append(f"{layers} of {depth} layers")
    if divisor > 1:
        small |= {name: max(MULTIPLE, int(config[name]) // divisor // MULTIPLE * MULTIPLE)
                  for name in WIDTH_ENTRIES if config.get(name)}
        small |= _fewer_heads(config, divisor)
        small |= dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))  # they may lie beyond the smaller vocabulary
        said.append(f"widths divided by {divisor} to multiples of {MULTIPLE}")
    return small, ", ".join(said)


def _fewer_heads(config: dict[str, Any], divisor: int) -> dict[str, int]:
    """Heads divided, at least one of each kind; query heads rounded to multiples of the key-value heads, which they share."""
    fewer = {name: max(1, int(config[name]) // divisor) for name in HEAD_ENTRIES if config.get(name)}
    shared = lcm(*(heads for name, heads in fewer.items() if name not in QUERY_HEADS))
    return fewer | {name: shared * max(1, fewer[name] // shared) for name in QUERY_HEADS if name in fewer}
