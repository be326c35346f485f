"""The shape of a model that the catalog lacks, from its config.json and what the catalog knows of its family.

A config.json says widths and counts; biases, norms, the kind of MLP and whether the head is tied unless stated are the class's.
Those are read off the catalog's model of the same family whose width is nearest, and a family counts as known only where the
same rules give every one of the catalog's own models its parameters.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from roi.catalog.models.configs import ModelConfig, model_config, read_config
from roi.catalog.models.shapes import find_model, load_models
from roi.errors import InputError, UnknownName, nearest
from roi.facts.model import ModelShape

MIXTURES: Final = ("num_experts", "num_local_experts", "n_routed_experts", "kv_lora_rank", "full_attention_interval")
"""Entries of architectures whose shape these rules do not give."""
OTHER_KINDS: Final = {
    "an encoder": (
        "albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "eurobert", "longformer", "modernbert",
        "mpnet", "nomic_bert", "roberta", "roformer", "xlm-roberta", "xlm-roberta-xl", "clip", "siglip", "vit", "wav2vec2",
    ),
    "an encoder and a decoder": (
        "bart", "blenderbot", "led", "longt5", "m2m_100", "marian", "mbart", "mt5", "pegasus", "prophetnet", "speech_to_text",
        "switch_transformers", "t5", "t5gemma", "umt5", "whisper",
    ),
    "no transformer, but a recurrent or state-space model": (
        "bamba", "falcon_h1", "falcon_mamba", "granitemoehybrid", "jamba", "mamba", "mamba2", "nemotron_h", "recurrent_gemma",
        "rwkv", "xlstm", "zamba", "zamba2",
    ),
}  # fmt: skip
"""Types of transformers that are no decoder-only causal language model of attention and MLPs."""
ADD_IT: Final = "must be in the catalog (models.json says how to add one)"

CAUSAL: Final = ("ForCausalLM", "LMHeadModel")
"""Endings of `architectures` that say a causal language model."""
COUNT_TOLERANCE: Final = 0.005
"""How far the rules' count of a catalog model may be off for its family to be known."""


def shape_of_config(config: ModelConfig) -> ModelShape:
    """The shape of a dense decoder; an InputError names the type or the entry that is missing, unknown or of another kind."""
    family = _family(config)
    other = next((name for name in MIXTURES if config.entries.get(name)), None)
    if other is not None:
        raise _refusal(config, f"{other} = {config.entries[other]}: only dense models are read from a config.json; a mixture or"
                       f" another kind of attention {ADD_IT}")
    _check_kind(config)
    if _siblings(family) and not _counted(family):
        raise _refusal(config, f"model_type {family!r} has parts that its config.json does not give; such a model {ADD_IT}")
    return _read(config)


def _refusal(config: ModelConfig, why: str) -> InputError:
    return InputError(f"MODEL: {config.name}: {why}")


def _family(config: ModelConfig) -> str:
    """Architecture as transformers names it."""
    return str(config.entries["model_type"])


def _check_kind(config: ModelConfig) -> None:
    """Raise where the type is no decoder-only causal model, or is unknown and nothing else says that it is one."""
    e, family = config.entries, _family(config)
    kind = next((kind for kind, types in OTHER_KINDS.items() if family.lower() in types), None)
    if kind is None and e.get("is_encoder_decoder"):
        kind = "an encoder and a decoder"
    if kind is not None:
        raise _refusal(config, f"model_type {family!r} is {kind}; only decoder-only causal language models of attention and"
                       " MLPs are read")
    named = e.get("architectures")
    causal = isinstance(named, list) and any(str(name).endswith(CAUSAL) for name in named)
    if not _siblings(family) and not causal:
        known = sorted({model.family for model in load_models()})
        near = nearest(family, known)
        raise _refusal(config, f"model_type {family[:60]!r} is unknown, and no entry of architectures ends in"
                       f" {' or '.join(CAUSAL)}; {'nearest' if near else 'known'}: {', '.join(near or known)}")


def _siblings(family: str) -> tuple[ModelShape, ...]:
    """The catalog's dense models of this type."""
    return tuple(m for m in load_models() if m.family == family and len(m.mlp) == 1 and m.mlp[0].experts == 1)


def _sibling_configs(family: str) -> Iterator[tuple[ModelShape, ModelConfig]]:
    """Those of them that transformers has a class for, with their configurations."""
    for model in _siblings(family):
        try:
            yield model, model_config(model)
        except InputError:
            continue


@cache
def _counted(family: str) -> bool:
    """True where the rules give each of the catalog's models of this type its parameters; those without a class left out."""
    for model, config in _sibling_configs(family):
        if _family(config) != family:
            continue
        try:
            found = _read(config).parameters
        except InputError:
            return False
        if abs(found / model.parameters - 1.0) > COUNT_TOLERANCE:
            return False
    return True


def _read(config: ModelConfig) -> ModelShape:
    e, family = config.entries, _family(config)
    heads = _count(config, "num_attention_heads", "n_head")
    hidden = _count(config, "hidden_size", "n_embd", "d_model")
    layers = _count(config, "num_hidden_layers", "n_layer")
    like = min(_siblings(family), key=lambda m: abs(m.hidden - hidden), default=None)
    head_dim = int(e.get("head_dim") or hidden // heads)
    # Falcon's multi_query has one head of keys and values, unless it is of the newer kind that counts them
    single = bool(e.get("multi_query")) and not e.get("new_decoder_architecture")
    kv_heads = int(e.get("num_key_value_heads") or e.get("num_kv_heads") or (1 if single else heads))
    if heads % kv_heads:
        raise _refusal(config, f"num_key_value_heads {kv_heads} does not divide num_attention_heads {heads}")
    # BLOOM's ALiBi has no limit of its own, so the family's holds; GPT-2, BLOOM and Falcon mean four hidden widths by no width
    longest = None if like is None else like.context_tokens
    context = _count(config, "max_position_embeddings", "n_positions", "seq_length", otherwise=longest)
    four = 4 * hidden if like is not None and like.mlp[0].intermediate == 4 * like.hidden else None
    inner = _count(config, "intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", otherwise=four)
    shape: dict[str, Any] = {  # Any: fields of ModelShape
        "id": config.name, "family": family, "licence": "unknown", "hidden": hidden, "context_tokens": context,
        "vocab": _count(config, "vocab_size"), "tied": bool(e.get("tie_word_embeddings", _tied_by_default(family))),
        "attention": [{
            "layers": layers, "heads": heads, "kv_heads": kv_heads, "head_dim": head_dim,
            **_biases(e, like), "norm_parameters": _head_norms(like, head_dim, heads, kv_heads),
        }],
        "mlp": [{
            "layers": layers, "intermediate": inner, "gated": like is None or like.mlp[0].gated,
            "bias": bool(e.get("mlp_bias", like is not None and like.mlp[0].bias)),
        }],
        "published_parameters": 1, "source": config.name, "date": datetime.now(tz=UTC).date(),
        "note": "read from a config.json; parameters are counted from its entries, nobody published them",
    }  # fmt: skip
    if like is not None:
        shape |= {
            "norm_bias": like.norm_bias, "norms_per_layer": like.norms_per_layer, "final_norm": like.final_norm,
            "head_bias": like.head_bias, "module_names": like.module_names,
            "positions": context + like.positions - like.context_tokens if like.positions else 0,
            # a norm of the embedding (BLOOM) has weight and bias
            "extra_parameters": 2 * hidden if like.extra_parameters == 2 * like.hidden else 0,
        }  # fmt: skip
    try:
        made = ModelShape.model_validate(shape)
    except ValidationError as error:
        first = error.errors()[0]
        raise _refusal(config, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return made.model_copy(update={"published_parameters": made.parameters})


def _tied_by_default(family: str) -> bool:
    """What the class does where the entry is absent: as the catalog's models whose configuration leaves it out."""
    silent = (model.tied for model, config in _sibling_configs(family) if "tie_word_embeddings" not in config.entries)
    return next(silent, False)


def _biases(e: dict[str, Any], like: ModelShape | None) -> dict[str, bool]:  # Any: JSON
    """Biases of the projections: as attention_bias says, else the class's; qwen2 and its kin have none on the output."""
    qkv, o = (like.attention[0].qkv_bias, like.attention[0].o_bias) if like is not None else (False, False)
    stated = e.get("attention_bias")
    if stated is None:
        return {"qkv_bias": qkv, "o_bias": o}
    return {"qkv_bias": bool(stated), "o_bias": bool(stated) and (o or not qkv)}


def _head_norms(like: ModelShape | None, head_dim: int, heads: int, kv_heads: int) -> int:
    """Norms of queries and keys in one layer: by head (qwen3), or over all heads (olmo2)."""
    if like is None or not like.attention[0].norm_parameters:
        return 0
    by_head = like.attention[0].norm_parameters == 2 * like.attention[0].head_dim
    return 2 * head_dim if by_head else (heads + kv_heads) * head_dim


def _count(config: ModelConfig, *names: str, otherwise: int | None = None) -> int:
    """The first of these entries that is a whole number from 1; `otherwise` where all are absent or null."""
    if otherwise is not None and not any(config.entries.get(name) for name in names):
        return otherwise
    for name in names:
        value = config.entries.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    held = next((name for name in names if name in config.entries), None)
    if held is None:
        raise _refusal(config, f"no {' or '.join(names)}")
    raise _refusal(config, f"{held}: {str(config.entries[held])[:40]} is not usable; a whole number from 1")


class ChosenModel(NamedTuple):
    """The model that the user named."""

    shape: ModelShape
    config: ModelConfig | None
    """None where transformers has no class for it."""


def choose_model(name: str) -> ChosenModel:
    """A catalog name, a Hub name that the catalog knows, a config.json, or the folder that holds one."""
    path = Path(name)
    listed = None
    if path.suffix != ".json" and not path.is_dir():
        try:
            listed = find_model(name, "MODEL")
        except UnknownName as error:
            if not path.is_file():
                raise InputError(f"{error}; or give the path of its config.json") from error
    if listed is None:
        config = read_config(path)
        return ChosenModel(shape_of_config(config), config)
    try:
        return ChosenModel(listed, model_config(listed))
    except InputError:
        return ChosenModel(listed, None)
