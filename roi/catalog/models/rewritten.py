"""What configuration classes of transformers make of a file's entries before a model is built, type by type.

A table of architectures.json says which tensors entries give. Some classes give other entries than they were given: a pattern
of letters becomes a list of layers, a width is rounded, one list stands for attention and MLP in turn. What runs several times
with one set of weights is put in front of the stack here, so that a table can say how often.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

Entries = dict[str, Any]  # Any: JSON, keys differ by architecture

LEGACY: Final = {"mamba": "linear_attention", "attention": "full_attention"}
"""Older names of layers' kinds (transformers/configuration_utils.py, remap_legacy_layer_types)."""
LISTS: Final = ("layer_types", "layers_block_type")
COMPRESSED: Final = {0: "sliding_attention", 4: "compressed_sparse_attention", 128: "heavily_compressed_attention"}
"""Kinds of DeepSeek-V4's layers by their compression (compress_ratios)."""
KOLIBRI_SOURCES: Final = (0, 0, 0, 3, 4, 5, 5, 5, 5, 0)
"""Which of Kolibri 1.1's layers with an index each of them reads keys and values of (configuration_kolibri1_1.py)."""
LETTERS: Final = {"M": "linear_attention", "E": "moe", "*": "full_attention", "-": "mlp"}
"""Letters of NemotronH's hybrid_override_pattern."""


def rewrite(kind: str, given: Mapping[str, Any]) -> Entries:  # Any: JSON
    """The entries as the class of this type has them."""
    entries = dict(given)
    for name in LISTS:
        if isinstance(entries.get(name), list):
            entries[name] = [LEGACY.get(item, item) for item in entries[name]]
    found = REWRITES.get(kind)
    return entries if found is None else found(entries)


def _number(entries: Entries, name: str, otherwise: int) -> int:
    value = entries.get(name)
    return value if isinstance(value, int) else otherwise


def _deepseek_v4(entries: Entries) -> Entries:
    """Published files have a compression for each layer, and further ones for prediction; without, two layers and then in turn.

    The first layers' experts are chosen by a hash of the token (configuration_deepseek_v4.py).
    """
    layers = _number(entries, "num_hidden_layers", 43)
    ratios, hashed = entries.get("compress_ratios"), min(_number(entries, "num_hash_layers", 3), layers)
    most, less = COMPRESSED[128], COMPRESSED[4]
    types = [COMPRESSED.get(ratio, str(ratio)) for ratio in ratios] if isinstance(ratios, list) else (
        [most] * min(layers, 2) + [less if i % 2 else most for i in range(layers - 2)])
    mlps = ["hash_moe"] * hashed + ["moe"] * (layers - hashed)
    return entries | {"layer_types": (entries.get("layer_types") or types)[:layers],
                      "mlp_layer_types": (entries.get("mlp_layer_types") or mlps)[:layers]}


def _dory(entries: Entries) -> Entries:
    """A file lists attention and MLP one after the other, and counts both; DoryConfig makes a layer of each pair."""
    types = entries.get("layer_types")
    if not isinstance(types, list) or "mlp" not in types:
        return entries
    halved = ("num_hidden_layers", "n_input_layers", "n_output_layers")
    return entries | {"layer_types": types[::2]} | {n: entries[n] // 2 for n in halved if isinstance(entries.get(n), int)}


def _lfm2(entries: Entries) -> Entries:
    """Lfm2MLP takes two thirds of the width, times a factor, up to a multiple; a list of layers has attention, else all do."""
    width = _number(entries, "block_ff_dim", _number(entries, "intermediate_size", 12288))
    multiple, factor = _number(entries, "block_multiple_of", 256), entries.get("block_ffn_dim_multiplier", 1.0)
    if entries.get("block_auto_adjust_ff_dim", True):
        width = int(2 * width / 3)
        if factor is not None:
            width = multiple * -(-int(factor * width) // multiple)
    layers, full = _number(entries, "num_hidden_layers", 32), entries.get("full_attn_idxs")
    types = entries.get("layer_types") or ["full_attention" if full is None or i in full else "conv" for i in range(layers)]
    tied = entries.get("tie_embedding", entries.get("tie_word_embeddings", True))
    return entries | {"intermediate_size": width, "layer_types": types, "tie_word_embeddings": tied}


def _kolibri1_1(entries: Entries) -> Entries:
    """Of the layers with an index some read an earlier one's keys and values, and have no products for them."""
    layers = _number(entries, "num_hidden_layers", 50)
    types = entries.get("layer_types") or ["sliding_attention" if (i + 1) % 5 else "indexed_attention" for i in range(layers)]
    sources = entries.get("kv_source_layers")
    if not isinstance(sources, list):
        indexed = [i for i, item in enumerate(types) if item == "indexed_attention"]
        read = {indexed[i]: indexed[of] for i, of in enumerate(KOLIBRI_SOURCES[: len(indexed)])}
        sources = [read.get(i, i) for i in range(layers)]
    return entries | {"layer_types": types, "own_keys": [source == i for i, source in enumerate(sources)]}


def _nemotron_h(entries: Entries) -> Entries:
    """A pattern of letters, or a list of layers, says how many there are; four of each kind where neither stands there."""
    types = entries.get("layers_block_type") or entries.get("layer_types")
    pattern = entries.get("hybrid_override_pattern")
    if not types:
        types = [LETTERS.get(letter, letter) for letter in pattern] if pattern else [*LETTERS.values()]
    return {n: v for n, v in entries.items() if n != "layers_block_type"} | {
        "layer_types": types, "num_hidden_layers": len(types)}  # fmt: skip


def _hrm_text(entries: Entries) -> Entries:
    """Two stacks, low and high, of num_layers_per_stack layers each; without it num_hidden_layers counts one of them."""
    each = _number(entries, "num_layers_per_stack", _number(entries, "num_hidden_layers", 16))
    return entries | {"num_layers_per_stack": each, "stacked_layers": 2 * each}


def _zamba(entries: Entries) -> Entries:
    """One block of attention and MLP runs in every hybrid layer: it stands in front of the layers here."""
    width, layers = _number(entries, "hidden_size", 3712), _number(entries, "num_hidden_layers", 76)
    period, offset = _number(entries, "attn_layer_period", 6), _number(entries, "attn_layer_offset", 4)
    rank = entries.get("mamba_dt_rank", "auto")
    types = entries.get("layers_block_type") or [
        "hybrid" if i == 2 or (i > 2 and (i - 3) % period == offset) else "linear_attention" for i in range(layers)]
    return _with_shared(entries, types, 1) | {"mamba_dt_rank": -(-width // 16) if rank == "auto" else rank}


def _zamba2(entries: Entries) -> Entries:
    """num_mem_blocks shared blocks take turns in the hybrid layers, which the family has a usual list of."""
    five = ["linear_attention"] * 5
    types = entries.get("layers_block_type") or [
        "linear_attention", *([*five, "hybrid"] * 7), *five[:4], "hybrid", *five[:3], "hybrid", *five[:2]]
    return _with_shared(entries, types, _number(entries, "num_mem_blocks", 1))


def _with_shared(entries: Entries, types: list[str], blocks: int) -> Entries:
    """The entries with `blocks` shared blocks in front of the layers."""
    kept = {n: v for n, v in entries.items() if n != "layers_block_type"}
    return kept | {"layer_types": ["shared"] * blocks + types, "stacked_layers": blocks + len(types),
                   "hybrid_layers": types.count("hybrid")}


def _falcon_h1(entries: Entries) -> Entries:
    """mamba_d_ssm: null is the width of the stream times mamba_expand; absent it is 1,024."""
    if entries.get("mamba_d_ssm", 1024) is not None:
        return entries
    return entries | {"mamba_d_ssm": _number(entries, "mamba_expand", 2) * _number(entries, "hidden_size", 4096)}


def _opt(entries: Entries) -> Entries:
    """A word embedding of another width than the stream is projected in and out."""
    width = _number(entries, "hidden_size", 768)
    return entries | {"projected": _number(entries, "word_embed_proj_dim", width) != width}


REWRITES: Final[dict[str, Callable[[Entries], Entries]]] = {
    "deepseek_v4": _deepseek_v4, "dory": _dory, "falcon_h1": _falcon_h1, "hrm_text": _hrm_text,
    "kolibri1_1": _kolibri1_1, "lfm2": _lfm2, "nemotron_h": _nemotron_h, "opt": _opt, "zamba": _zamba, "zamba2": _zamba2,
}  # fmt: skip
