"""One layer of a decoder as kinds of token mixing and of MLP, from its tensors and the configuration's entries.

Families name the same projections otherwise; what is told apart here by name is checked by count: where a kind's own products
have other parameters than the layer, the layer's products are listed one by one.
"""

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from roi.catalog.models.architectures import Tensor, UnreadEntry
from roi.facts.model import Attention

MLP: Final = re.compile(
    r"(^|[._])(mlp|feed_forward|ffn?|moe|experts?|router|shared_\w+|fc1|fc2|fc_in|fc_out|dense_\w*4h\w*|c_fc)([._]|$)",
)
"""Modules of a layer that belong to its MLP."""
DOWN: Final = (
    "down_proj",
    "w2",
    "fc2",
    "c_proj",
    "dense_4h_to_h",
    "output_linear",
    "fc_out",
    "wo",
    "proj_out",
    "down",
    "w_out",
)
"""Last products of an MLP."""
ROUTER: Final = re.compile(r"(router|gate|gate_inp|shared_expert_gate|layer|classifier)$")
LINEAR_ROUTER: Final = re.compile(r"((?:router|gate)\.(?:proj|layer|wg|gate|classifier))\.weight$")
"""Paths of routers that are linear layers, inside a module of their own (router.proj); others are a module's parameter."""
LINEAR: Final = re.compile(
    r"mamba|ssm|linear_attn|conv|delta|recurrent|rwkv|\.rg_|kda|lightning|xlstm|mlstm|attention\.(key|receptance)"
)
"""Paths of token mixing with a state of fixed size."""
LINEAR_TYPE: Final = re.compile(r"linear|mamba|conv|recurrent|ssm|kda")
"""Items of layer_types that stand for token mixing with a state of fixed size."""
USUAL: Final = {
    "q_proj": ("q_proj", "query", "q_lin", "q", "q_gate_proj"), "k_proj": ("k_proj", "key", "k"),
    "v_proj": ("v_proj", "value", "v"),
    "o_proj": ("o_proj", "out_proj", "dense", "c_proj", "wo", "o", "proj", "linear_out", "attention_output"),
}  # fmt: skip
"""What families call the projections of attention."""
FUSED: Final = ("qkv_proj", "query_key_value", "c_attn", "Wqkv", "W_pack", "qkv", "att_proj")
"""Products that hold queries, keys and values."""
WINDOWED: Final = re.compile(r"sliding|chunked|local|swa|window")


class Layer(NamedTuple):
    """Tensors of one layer: those of the MLP, and the others."""

    mlp: tuple[Tensor, ...]
    mixing: tuple[Tensor, ...]


def read_layer(tensors: Iterable[Tensor], i: int) -> Layer:
    """What layer `i` holds, names without what stands before it."""
    held = [t._replace(path=t.path.partition(".L.")[2]) for t in tensors if i in t.layers]
    mlp = tuple(t for t in held if MLP.search(t.path))
    return Layer(mlp, tuple(t for t in held if t not in mlp))


def is_norm(t: Tensor, hidden: int) -> bool:
    """True for a norm of the residual stream; those of queries and keys may be as wide."""
    return t.sizes == (hidden,) and re.search(r"norm|ln", t.path) is not None and re.search(r"\.[qk]_norm", t.path) is None


def is_product(t: Tensor) -> bool:
    """True for the weight of a linear layer or of stacked experts."""
    return (
        len(t.sizes) >= 2
        and min(t.sizes[-2:]) > 0
        and "conv" not in _leaf(t.path)
        and "norm" not in t.path
        and (t.path.endswith("weight") or "experts" in t.path)
    )


def count_products(tensors: Iterable[Tensor]) -> int:
    """Parameters of every product of the stack, experts that a token does not pass through included, biases too."""
    held = [t for t in tensors if ".L." in t.path]
    names = {t.path.removesuffix("weight") for t in held if is_product(t)}
    return sum(t.parameters for t in held if is_product(t) or t.path.removesuffix("bias") in names)


def _leaf(path: str) -> str:
    """The module's name: the last part that is none of weight, bias and numbers."""
    parts = [part for part in path.split(".") if part not in ("weight", "bias", "*")]
    return parts[-1] if parts else path


Kind = tuple[tuple[str, Any], ...]
"""Fields of Attention or Mlp, hashable."""


def mlp_kind(e: dict[str, Any], hidden: int, tensors: tuple[Tensor, ...]) -> Kind | None:  # Any: JSON
    """The kind of a layer's MLP; None where it has none that is read."""
    products = [t for t in tensors if is_product(t) and not is_norm(t, hidden)]
    routed = [t for t in products if len(t.sizes) == 3 or t.copies > 1]
    shared = [t for t in products if t not in routed and (routed or "shared" in t.path) and not _routes(t, hidden)]
    dense = routed or shared
    experts = max((t.sizes[0] if len(t.sizes) == 3 else t.copies for t in routed), default=1)
    if not routed and len(products) == 2 and not any(_leaf(t.path) in DOWN for t in products) and hidden in products[1].sizes:
        return tuple({"intermediate": products[1].each // hidden, "gated": False}.items())  # ffn.0 and ffn.2
    down = sum(_width(t, hidden, experts) for t in dense if _leaf(t.path) in DOWN) or (
        sum(_width(t, hidden, experts) for t in products if _leaf(t.path) in DOWN) if not routed else 0
    )
    if not down:
        return None
    body = routed or [t for t in products if not _routes(t, hidden)]
    up = sum(_width(t, hidden, experts) for t in body if _leaf(t.path) not in DOWN)
    extra = sum(_width(t, hidden, 1) for t in shared if _leaf(t.path) in DOWN) if routed else 0
    biases = {_leaf(t.path) for t in tensors if re.search(r"(^|[._])bias$", t.path)}
    names = {_leaf(t.path) for t in body}
    kind: dict[str, Any] = {
        "intermediate": down,
        "gated": up >= 2 * down,
        "bias": names <= biases if not routed else any("experts" in t.path and t.path.endswith("bias") for t in tensors),
        "experts": experts,
        "experts_per_token": _active(e, experts) if experts > 1 else 1,
        "shared_intermediate": extra,
        "shared_gate": any(re.search(r"shared_expert_gate", t.path) for t in tensors),
        "router": next((found[1] for t in products if (found := LINEAR_ROUTER.search(t.path))), "router"),
    }
    return tuple(kind.items())


def _routes(t: Tensor, hidden: int) -> bool:
    """True for a router, or the gate of a shared expert."""
    return ROUTER.search(_leaf(t.path)) is not None and len(t.sizes) == 2 and hidden in t.sizes and "_proj" not in _leaf(t.path)


def _width(t: Tensor, hidden: int, experts: int) -> int:
    """Elements of a product over those of the stream, for one expert."""
    return t.each // (hidden * max(experts if len(t.sizes) == 3 or t.copies > 1 else 1, 1))


def _active(e: dict[str, Any], experts: int) -> int:  # Any: JSON
    """Experts of so many that a token passes through; UnreadEntry where they are more than there are, in all or in groups."""
    named = [
        n for n in e if re.search(r"experts_per_tok|top_?k|moe_k$", n) and isinstance(e[n], int) and not isinstance(e[n], bool)
    ]
    best = sorted(named, key=lambda n: ("experts_per_tok" not in n, "index" in n, "group" in n, n))
    groups, kept = (e[name] if isinstance(e.get(name), int) else 1 for name in ("n_group", "topk_group"))
    groups = 1 if e.get("topk_method") == "greedy" else groups
    if groups > 1 and experts % groups:
        raise UnreadEntry(f"n_group: {groups} does not divide the {experts} experts")
    if groups > 1 and not 1 <= kept <= groups:
        raise UnreadEntry(f"topk_group: {kept} is not usable; from 1 to n_group {groups}")
    most = experts // groups * kept if groups > 1 else experts
    if best and best[0] != "top_k" and not 1 <= e[best[0]] <= most:  # top_k is also one of generation's
        raise UnreadEntry(f"{best[0]}: {e[best[0]]} is not usable; from 1 to the {most} experts that a token may choose")
    return min(int(e[best[0]]), most) if best and e[best[0]] > 0 else 1


def mixing_kind(e: dict[str, Any], hidden: int, layers: int, i: int, tensors: tuple[Tensor, ...]) -> Kind:  # Any: JSON
    """The kind of a layer's token mixing; its products are listed where those of the kind are others."""
    heads = first_count(e, "num_attention_heads", "n_head", "n_heads", "num_heads", otherwise=1)
    products = [t for t in tensors if is_product(t) and not is_norm(t, hidden)]
    paths = " ".join(t.path for t in products)
    leaves = {_leaf(t.path): t for t in products if t.copies == 1}
    sinks = [t for t in tensors if t.path.endswith("sinks")]
    others = [t for t in tensors if t not in (*products, *sinks) and not is_norm(t, hidden) and not _bias_of(t, products)]
    kind: dict[str, Any] = {"kind": "full", "heads": heads, "kv_heads": heads, "head_dim": max(hidden // heads, 1)}
    if e.get("kv_lora_rank") and "kv_b" in paths:
        rope, nope = int(e.get("qk_rope_head_dim") or 0), int(e.get("qk_nope_head_dim") or 0)
        kind |= {
            "kind": "latent",
            "head_dim": rope + nope,
            "value_dim": int(e.get("v_head_dim") or nope),
            "rope_dim": rope,
            "kv_rank": first_count(e, "kv_lora_rank"),
            "q_rank": first_count(e, "q_lora_rank") if "q_a" in paths else None,
        }
    elif _is_state(e, layers, i, paths, leaves):
        kind |= _state(e, hidden)
    else:
        kind |= _heads(e, hidden, heads, leaves) | _window(e, layers, i)
    kind |= {"norm_parameters": sum(t.each for t in others), "sinks": bool(sinks)}
    biased = {x.path.removesuffix("bias") for x in tensors if x.path.endswith("bias")}
    listed = tuple((_leaf(t.path), *_sides(t, hidden), t.path.removesuffix("weight") in biased)
                   for t in products for _ in range(t.copies))
    kind["products"] = () if _agrees(kind, hidden, listed) else listed
    return tuple(kind.items())


def _is_state(e: dict[str, Any], layers: int, i: int, paths: str, leaves: dict[str, Tensor]) -> bool:  # Any: JSON
    """True where the layer mixes by a state of fixed size: its type says so, or its products do."""
    types = e.get("layer_types")
    if isinstance(types, list) and len(types) == layers and LINEAR_TYPE.search(str(types[i])):
        return True
    all_so = bool(paths) and all(LINEAR.search(path) for path in paths.split())
    return all_so or (
        _named(leaves, "q_proj", "k_proj", *FUSED) is None and (LINEAR.search(paths) is not None or "in_proj" in leaves)
    )


def _heads(e: dict[str, Any], hidden: int, heads: int, leaves: dict[str, Tensor]) -> dict[str, Any]:  # Any: fields of Attention
    """Heads of queries, of keys and values, and their width."""
    q, k, v, o = (_named(leaves, name) for name in USUAL)
    whole = _named(leaves, *FUSED)
    if q is not None and (k is not None or o is not None):
        width = q.each // hidden
        value = o.each // hidden if o is not None else width
        gated = width == 2 * value
        width = width // 2 if gated else width
        dim = max(width // heads, 1)
        keys = k.each // hidden // dim if k is not None else int(e.get("num_key_value_heads") or heads)
        values = v.each // hidden // max(keys, 1) if v is not None else dim
        return {
            "kv_heads": max(keys, 1),
            "head_dim": dim,
            "value_dim": values if values != dim else None,
            "gated": gated,
            "shared_kv": v is None and k is not None,
            "qkv_bias": False,
            "o_bias": False,
            "kv_reused_layers": int(k is None),
        }
    if whole is not None:
        stated = e.get("num_key_value_heads") or e.get("num_kv_heads")
        single = bool(e.get("multi_query")) and not e.get("new_decoder_architecture")
        keys = 1 if single else int(stated or heads)
        dim = whole.each // hidden // (heads + 2 * keys) or int(e.get("head_dim") or hidden // heads)
        return {"kv_heads": keys, "head_dim": dim}
    dim = int(e.get("head_dim") or max(hidden // heads, 1))
    return {"head_dim": dim, "kv_heads": int(e.get("num_key_value_heads") or heads)}


def _state(e: dict[str, Any], hidden: int) -> dict[str, Any]:  # Any: fields of Attention
    """A recurrent state: gated delta rule (Qwen3-Next's entries), Mamba 1 and 2; else a value a channel (convolutions)."""
    if e.get("linear_num_value_heads"):
        return {
            "kind": "linear",
            "heads": first_count(e, "linear_num_value_heads"),
            "kv_heads": first_count(e, "linear_num_key_heads"),
            "head_dim": first_count(e, "linear_key_head_dim"),
            "value_dim": first_count(e, "linear_value_head_dim"),
            "conv_kernel": int(e.get("linear_conv_kernel_dim") or 4),
        }
    state = first_count(e, "mamba_d_state", "ssm_state_size", "state_size", "mamba_state_dim", otherwise=1)
    inner = int(
        e.get("mamba_d_ssm") or e.get("intermediate_size_ssm") or hidden * first_count(e, "mamba_expand", "expand", otherwise=1)
    )
    width = first_count(e, "mamba_d_head", "mamba_headdim", "mamba_head_dim", otherwise=min(64, inner))
    width = width if inner % width == 0 else 1
    return {
        "kind": "linear",
        "heads": inner // width,
        "kv_heads": first_count(e, "mamba_n_groups", "n_groups", "mamba_ngroups", otherwise=1),
        "head_dim": state,
        "value_dim": width,
        "conv_kernel": first_count(e, "mamba_d_conv", "conv_kernel", "conv_L_cache", "mamba_conv_kernel", otherwise=4),
    }


def _window(e: dict[str, Any], layers: int, i: int) -> dict[str, Any]:  # Any: JSON
    """A window where the layer's type, or a model of windows alone, says one."""
    size = next(
        (
            e[n]
            for n in ("sliding_window", "sliding_window_size", "attention_chunk_size", "window_size", "local_attention")
            if isinstance(e.get(n), int) and e[n] > 1
        ),
        None,
    )
    types = e.get("layer_types")
    if isinstance(types, list) and len(types) == layers:
        on = WINDOWED.search(str(types[i])) is not None
    else:
        on = e.get("use_sliding_window", True) is True and "sliding_window" in e
    return {"kind": "sliding", "window": int(size)} if on and size else {}


def _agrees(kind: dict[str, Any], hidden: int, listed: tuple[tuple[str, int, int, bool], ...]) -> bool:  # Any: fields
    """True where the kind's own products have the parameters that are listed; sets its biases where that makes it so."""
    wanted = sum(a * b for _, a, b, _ in listed)
    if kind["kind"] == "linear":
        return False
    made = Attention.model_validate({"layers": 1, **kind})
    if sum(x.inputs * x.outputs for x in made.linears(hidden)) != wanted:
        return False
    biased = {name for name, _, _, bias in listed if bias}
    out = {name for name, *_ in listed if name in USUAL["o_proj"]}
    kind["qkv_bias"] = bool(listed) and {name for name, *_ in listed} - out <= biased
    kind["o_bias"] = bool(out) and out <= biased
    total = wanted + sum(b for _, _, b, bias in listed if bias)
    return sum(x.parameters for x in Attention.model_validate({"layers": 1, **kind}).linears(hidden)) == total


def _named(leaves: dict[str, Tensor], *names: str) -> Tensor | None:
    """The product under one of these names, or under another family's."""
    return next((leaves[other] for name in names for other in (name, *USUAL.get(name, ())) if other in leaves), None)


def _sides(t: Tensor, hidden: int) -> tuple[int, int]:
    """(inputs, outputs) of a product; weights are (outputs, inputs), but gpt2's are the other way round."""
    outputs, inputs = t.sizes[-2:]
    turned = inputs != hidden and outputs == hidden and _leaf(t.path) in ("c_attn", "q_attn")
    return (outputs, inputs) if turned else (inputs, outputs)


def _bias_of(t: Tensor, products: list[Tensor]) -> bool:
    return t.path.endswith("bias") and any(p.path.removesuffix("weight") == t.path.removesuffix("bias") for p in products)


def module_names(layers: list[Layer]) -> tuple[tuple[str, ...], ...]:
    """The checkpoint's names of modules that are fused or named otherwise, with the usual names that each holds."""
    found: dict[str, tuple[str, ...]] = {}
    for layer in layers:
        for t in layer.mixing:
            leaf = _leaf(t.path)
            if leaf in FUSED:
                found[leaf] = ("q_proj", "k_proj", "v_proj")
            usual = next((name for name, others in USUAL.items() if leaf in others[1:]), None)
            if usual is not None and is_product(t):
                found.setdefault(leaf, (usual,))
        for t in (t for t in layer.mlp if len(t.sizes) == 2 and t.copies == 1 and is_product(t)):
            leaf = _leaf(t.path)
            if leaf == "gate_up_proj":
                found[leaf] = ("gate_proj", "up_proj")
            elif leaf in DOWN[1:]:
                found.setdefault(leaf, ("down_proj",))
            elif leaf in ("fc1", "fc_in", "c_fc", "dense_h_to_4h"):
                found.setdefault(leaf, ("up_proj",))
    return tuple((name, *usual) for name, usual in found.items())


def first_count(e: dict[str, Any], *names: str, otherwise: int | None = None) -> int:  # Any: JSON
    """The first of these entries that is a whole number from 1; one of another type is no entry to be passed over."""
    for name in names:
        value = e.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
        if value is not None and (otherwise is None or isinstance(value, str | list | dict)):
            raise UnreadEntry(f"{name}: {str(value)[:40]!r} is not usable; a whole number from 1")
    if otherwise is None:
        raise UnreadEntry(f"no {' or '.join(names[:2])}")
    return otherwise
