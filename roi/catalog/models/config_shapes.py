"""The shape of a model that the catalog lacks, from its config.json.

architectures.py says which tensors the configuration makes, decoder_layers.py which kinds of token mixing and of MLP they
are. What a kind does not hold (scalars, norms of a latent, memories) is counted beside it, so that the parameters are those
that transformers builds. A type without a table is refused: nothing would check its count.
"""

import re
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from roi import clock
from roi.catalog.models.architectures import WIDTH_ENTRIES, Architecture, Entries, UnreadEntry, known_types, read_architecture
from roi.catalog.models.configs import ModelConfig, context_tokens, model_config, read_config
from roi.catalog.models.decoder_layers import (
    count_products,
    first_count,
    is_norm,
    is_product,
    mixing_kind,
    mlp_kind,
    module_names,
    read_layer,
)
from roi.catalog.models.hub import is_hub_name, read_hub_model
from roi.catalog.models.shapes import find_model, load_models
from roi.catalog.models.stored_weights import StoredWeights, stored_by_name
from roi.errors import InputError, UnknownName, nearest
from roi.facts.model import ModelShape

OTHER_KINDS: Final = {
    "an encoder": (
        "albert", "bert", "bert-generation", "big_bird", "camembert", "clip", "data2vec-text", "deberta", "deberta-v2",
        "distilbert", "electra", "ernie", "eurobert", "longformer", "megatron-bert", "modernbert", "mpnet", "nomic_bert",
        "rembert", "roberta", "roberta-prelayernorm", "roc_bert", "roformer", "siglip", "vit", "wav2vec2", "xlm",
        "xlm-roberta", "xlm-roberta-xl", "xlnet", "xmod",
    ),
    "an encoder and a decoder": (
        "bart", "bigbird_pegasus", "blenderbot", "blenderbot-small", "florence2", "led", "longt5", "m2m_100", "marian",
        "mbart", "mt5", "mvp", "pegasus", "pix2struct", "plbart", "pp_formulanet", "prophetnet", "speech_to_text",
        "switch_transformers", "t5", "t5gemma", "t5gemma2", "trocr", "udop", "umt5", "vision-encoder-decoder", "whisper",
    ),
}  # fmt: skip
"""Types of transformers that are no decoder-only causal language model."""
DEFAULT_CONTEXT: Final = 131_072
"""Longest sequence of a type without positions of its own (ALiBi, states), tokens: what nobody would train beyond."""

DROPOUTS: Final = {
    "scores": ("attention_dropout", "attn_pdrop", "attention_probs_dropout_prob"),
    "stream": ("resid_pdrop", "residual_dropout", "hidden_dropout", "hidden_dropout_prob", "resid_dropout", "dropout"),
}
"""What training may drop -> the entries that say how much of it."""
DROPPED_UNSAID: Final = {
    **dict.fromkeys(("gpt2", "gpt_bigcode", "biogpt", "seed_oss", "xglm"), ("scores", "stream")),
    "opt": ("stream",), "gpt_neox_japanese": ("scores",),
}  # fmt: skip
"""Type -> what its class of transformers drops where no entry says how much."""
ONE_CLASS: Final = {"gpt-sw3": "gpt2"}
"""Type -> another whose class of transformers it has."""


def shape_of_config(config: ModelConfig) -> ModelShape:
    """The shape of a decoder; an InputError names the type or the entry that is missing, unknown or of another kind."""
    family = str(config.entries["model_type"])
    _check_kind(config, family)
    try:
        found = read_architecture(family, config.entries)
        shape = _shape(config.name, family, found)
        made = ModelShape.model_validate(shape)
    except UnreadEntry as error:
        raise _refusal(config, str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise _refusal(config, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    outside = sum(inputs * outputs for _, inputs, outputs in made.products)
    products = count_products(found.tensors) + outside - sum(linear.parameters for linear in made.linears)
    return ModelShape.model_validate(
        shape
        | {
            "note": "; ".join(filter(None, (shape["note"], config.besides))),
            "published_parameters": found.parameters,
            "extra_parameters": found.parameters - made.parameters,
            "extra_active_parameters": max(products, 0),
        }
    )


def _refusal(config: ModelConfig, why: str) -> InputError:
    return InputError(f"MODEL: {config.name}: {why}")


def _check_kind(config: ModelConfig, family: str) -> None:
    """Raise where the type is no decoder-only causal model, or has no table."""
    kind = next((kind for kind, types in OTHER_KINDS.items() if family.lower() in types), None)
    if kind is None and config.entries.get("is_encoder_decoder"):
        kind = "an encoder and a decoder"
    if kind is not None:
        raise _refusal(config, f"model_type {family!r} is {kind}; only decoder-only causal language models are read")
    known = known_types()
    if family not in known:
        alike, near = _type_of_class(config.entries.get("architectures"), known), nearest(family, sorted(known))
        told = f"; nearest: {', '.join(near)}" if near else ""
        if alike:
            told = f"; its architectures name the class of model_type {alike}, under which it is read"
        raise _refusal(
            config,
            f"model_type {family[:60]!r} is not read: its parameters could not be checked against transformers"
            f"{told}; for an estimate name a model of the catalog of its size, or"
            " write its sizes under a type that is built alike (llama: hidden_size, intermediate_size, num_hidden_layers,"
            " num_attention_heads, num_key_value_heads, vocab_size)",
        )


def _type_of_class(architectures: object, known: Collection[str]) -> str | None:
    """The known type whose class a configuration names (kimi_k2: DeepseekV3ForCausalLM); None where it names none."""
    first = architectures[0] if isinstance(architectures, list) and architectures else None
    name = first.removesuffix("ForCausalLM").lower() if isinstance(first, str) else ""
    return next((each for each in sorted(known) if each.replace("_", "").replace("-", "") == name), None)


def _shape(name: str, family: str, found: Architecture) -> dict[str, Any]:  # Any: fields of ModelShape
    e = found.entries
    outside = [t for t in found.tensors if ".L." not in t.path]
    hidden = first_count(e, *WIDTH_ENTRIES)
    vocab = first_count(e, "vocab_size", "n_vocab")
    table = next((t for t in outside if t.sizes == (vocab, hidden) and re.search(r"embed|wte|emb", t.path)), None)
    head = next(
        (
            t
            for t in outside
            if t is not table
            and t.path.endswith("weight")
            and set(t.sizes) == {vocab, hidden}
            and re.search(r"head|embed_out|output", t.path)
        ),
        None,
    )
    bias = head is not None and any(t.path == head.path.replace(".weight", ".bias") for t in outside)
    places = next(
        (t for t in outside if len(t.sizes) == 2 and t.sizes[1] == hidden and re.search(r"wpe|position", t.path)), None
    )
    beside = [t for t in outside if t not in (table, head, places) and re.fullmatch(r"model\.\w+_projection\.weight", t.path)]
    layers = [read_layer(found.tensors, i) for i in range(found.layers)]
    norms = [[t for t in (*x.mixing, *x.mlp) if is_norm(t, hidden)] for x in layers]
    per_layer = min((sum(t.path.endswith("weight") for t in x) for x in norms), default=0)
    biased = per_layer > 0 and all(sum(t.path.endswith("bias") for t in x) >= per_layer for x in norms)
    final = any(is_norm(t, hidden) and t.path.endswith("weight") for t in outside)
    mixing = Counter(
        (found.passes[i], mixing_kind(e, hidden, found.layers, i, x.mixing))
        for i, x in enumerate(layers)
        if any(map(is_product, x.mixing))
    )
    mlps = Counter((found.passes[i], kind) for i, x in enumerate(layers) if (kind := mlp_kind(e, hidden, x.mlp)) is not None)
    context = context_tokens(e) or max((m.context_tokens for m in load_models() if m.family == family), default=DEFAULT_CONTEXT)
    return {
        "id": name, "family": ONE_CLASS.get(family, family), "licence": "unknown", "hidden": hidden, "context_tokens": context,
        "vocab": vocab, "tied": head is None, "head_bias": bias, "positions": places.sizes[0] if places else 0,
        "norm_bias": biased, "norms_per_layer": per_layer, "final_norm": final, "dropped": _dropped(family, e),
        "module_names": module_names(layers),
        "attention": [
            {"layers": n, "passes": times, **dict(kind), "kv_reused_layers": n * dict(kind).get("kv_reused_layers", 0)}
            for (times, kind), n in mixing.items()
        ],
        "mlp": [{"layers": n, "passes": times, **dict(kind)} for (times, kind), n in mlps.items()],
        "products": [(t.path.split(".")[1], *t.sizes[::-1]) for t in beside],
        "published_parameters": 1, "source": name, "date": clock.today(),
        "note": "read from a config.json; parameters are counted from its entries, nobody published them",
    }  # fmt: skip


def _dropped(family: str, e: Entries) -> list[str]:
    """What training drops: by the configuration's entries, else by its class."""
    said = {what: [e[name] for name in names if name in e] for what, names in DROPOUTS.items()}
    usual = DROPPED_UNSAID.get(ONE_CLASS.get(family, family), ())
    return [what for what, shares in said.items() if any(shares) or (not shares and what in usual)]


class ChosenModel(NamedTuple):
    """The model that the user named."""

    shape: ModelShape
    config: ModelConfig | None
    """The model's configuration; None where transformers has no class for it."""
    stored: StoredWeights | None
    """How the checkpoint that was named is packed: by its config.json, its name, or its publisher; None: it is not."""


def choose_model(name: str) -> ChosenModel:
    """A catalog name, a Hub name that the catalog knows, hub:owner/name, a config.json, or the folder that holds one."""
    path = Path(name)
    listed = None
    if not name.strip() or "\0" in name:
        raise InputError(f"MODEL: {name!r} names no model; a name of the catalog, or the path of a config.json")
    if is_hub_name(name):
        held = read_hub_model(name)
        return ChosenModel(held.check(shape_of_config(held.config)), held.config, held.config.stored)
    if path.suffix != ".json" and not path.is_dir():
        try:
            listed = find_model(name, "MODEL")
        except UnknownName as error:
            if not path.is_file():
                there = f", or hub:{name} to read it from the Hub" if name.count("/") == 1 and " " not in name else ""
                raise InputError(f"{error}; or give the path of its config.json{there}") from error
    if listed is None:
        config = read_config(path)
        return ChosenModel(shape_of_config(config), config, config.stored)
    stored = stored_by_name(name) or stored_by_name(f"-{listed.published_dtype}")
    try:
        return ChosenModel(listed, model_config(listed), stored)
    except InputError:
        return ChosenModel(listed, None, stored)
