"""A model that the catalog lacks, from its config.json: as a shape for the closed form, where its names are the usual ones."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from roi.catalog.configs import ModelConfig, model_config, read_config
from roi.catalog.models import find_model
from roi.errors import InputError, UnknownName
from roi.facts.model import ModelShape

QKV_BIAS: Final = ("qwen2",)
"""Families whose queries, keys and values always have a bias."""

HEAD_NORMS: Final = ("qwen3",)
"""Families that normalise queries and keys by head: head_dim parameters each."""

MIXTURES: Final = ("num_experts", "num_local_experts", "n_routed_experts", "kv_lora_rank", "full_attention_interval")
"""Entries of architectures whose shape these rules do not give."""


class ChosenModel(NamedTuple):
    """What the user named."""

    shape: ModelShape
    config: ModelConfig | None
    """None where transformers has no class for it."""


def choose_model(name: str, field: str = "MODEL") -> ChosenModel:
    """A catalog name, a Hub name that the catalog knows, a config.json, or the folder that holds one."""
    path = Path(name)
    if path.suffix == ".json" or path.is_dir():
        config = read_config(path, field)
        return ChosenModel(shape_of_config(config, field), config)
    try:
        shape = find_model(name, field)
    except UnknownName as error:
        if path.is_file():
            config = read_config(path, field)
            return ChosenModel(shape_of_config(config, field), config)
        raise InputError(f"{error}; or give the path of its config.json") from error
    try:
        return ChosenModel(shape, model_config(shape, field))
    except InputError:
        return ChosenModel(shape, None)


def shape_of_config(config: ModelConfig, field: str = "MODEL") -> ModelShape:
    """The shape of a dense decoder with the usual entries; an InputError names the entry that is missing or unknown."""
    e = config.entries
    other = next((name for name in MIXTURES if e.get(name)), None)
    if other is not None:
        raise InputError(
            f"{field}: {config.name}: {other} = {e[other]}: only dense models are read from a config.json; a mixture or another"
            " kind of attention must be in the catalog (models.json says how to add one)",
        )
    heads = _count(config, field, "num_attention_heads", "n_head")
    hidden = _count(config, field, "hidden_size", "n_embd", "d_model")
    layers = _count(config, field, "num_hidden_layers", "n_layer")
    family = str(e["model_type"])
    head_dim = int(e.get("head_dim") or hidden // heads)
    bias = bool(e.get("attention_bias", False))
    kv_heads = int(e.get("num_key_value_heads") or heads)
    if heads % kv_heads:
        raise InputError(f"{field}: {config.name}: num_key_value_heads {kv_heads} does not divide num_attention_heads {heads}")
    attention: dict[str, Any] = {  # Any: fields of Attention
        "layers": layers, "heads": heads, "kv_heads": kv_heads, "head_dim": head_dim,
        "qkv_bias": bias or family in QKV_BIAS, "o_bias": bias,
    }
    if family in HEAD_NORMS:
        attention["norm_parameters"] = 2 * head_dim
    inner = _count(config, field, "intermediate_size", "n_inner", "ffn_dim")
    shape = {
        "id": config.name, "family": family, "licence": "unknown", "hidden": hidden,
        "context_tokens": _count(config, field, "max_position_embeddings", "n_positions"),
        "vocab": _count(config, field, "vocab_size"), "tied": bool(e.get("tie_word_embeddings", False)),
        "attention": [attention], "mlp": [{"layers": layers, "intermediate": inner, "bias": bool(e.get("mlp_bias", False))}],
        "published_parameters": 1, "source": config.name, "date": datetime.now(tz=UTC).date(),
        "note": "read from a config.json; parameters are counted from its entries, nobody published them",
    }
    try:
        made = ModelShape.model_validate(shape)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{field}: {config.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return made.model_copy(update={"published_parameters": made.parameters})


def _count(config: ModelConfig, field: str, *names: str) -> int:
    for name in names:
        value = config.entries.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    held = next((name for name in names if name in config.entries), None)
    if held is None:
        raise InputError(f"{field}: {config.name}: no {' or '.join(names)}")
    raise InputError(f"{field}: {config.name}: {held}: {str(config.entries[held])[:40]} is not usable; a whole number from 1")
