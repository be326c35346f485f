"""FLOPs, bytes and launches of an operator, read off its arguments and results, which have no storage."""

from roi.profiling.stack import torch

# isort: split
from math import prod
from typing import Any, Final

from roi.facts.profiles import OperatorGroup, OperatorKind

DTYPES: Final = {
    torch.bfloat16: "bf16", torch.float16: "fp16", torch.float32: "fp32", torch.float64: "fp64", torch.int8: "int8",
    torch.uint8: "uint8", torch.int64: "int64", torch.int32: "int32", torch.bool: "bool",
}
COPIES: Final = ("_to_copy", "clone", "copy_", "cat", "_unsafe_view", "constant_pad_nd", "slice_backward", "index", "fill_")
"""Operators that move without arithmetic."""
SILENT: Final = ("empty", "detach", "new_empty", "scalar_tensor", "_local_scalar_dense", "lift_fresh", "is_same_size", "item",
                 "set_")
"""Operators that start no kernel."""
LOOPS: Final = {"grouped_mm_fallback": 1.0, "grouped_mm_fallback_backward": 2.0}
"""transformers' products of one expert after the other -> how many each does: backward makes both gradients."""


def is_view(func: Any, args: tuple[Any, ...], outputs: list[torch.Tensor]) -> bool:
    """True where the operator only renames memory: it changes nothing and every result shares an argument's storage."""
    if func._schema.is_mutable:
        return False
    own = {arg.untyped_storage()._cdata for arg in tensors_of(args)}
    return bool(outputs) and all(leaf.untyped_storage()._cdata in own for leaf in outputs)


def describe(func: Any, args: tuple[Any, ...], outputs: list[torch.Tensor], phase: str) -> list[OperatorGroup]:
    """The operator as work, `calls` = 1; empty where it starts no kernel."""
    name = func._schema.name.replace("::", ".")
    short = name.rpartition(".")[2]
    if short.startswith(SILENT) or name.startswith(("prim.", "profiler.")):
        return []
    inputs = tensors_of(args)
    read = _bytes(inputs)
    written = _bytes(outputs) if outputs else _bytes(inputs[:1])
    kind: OperatorKind = "elementwise"
    shape: tuple[int, ...] = tuple(outputs[0].shape) if outputs else tuple(inputs[0].shape) if inputs else ()
    dtype = outputs[0].dtype if outputs else inputs[0].dtype if inputs else torch.float32
    launches, flops = 1.0, 0.0
    if short in ("mm", "addmm", "bmm", "baddbmm", "_grouped_mm", *LOOPS):
        kind, shape, flops = "matrix", *_product(short, inputs)
        launches = LOOPS.get(short, 0.0) * min(inputs[1].shape[0], inputs[0].shape[0]) or 1.0
        experts = next((x for x in inputs if x.dim() == 3), None) if short == "_grouped_mm" else None
        if experts is not None:  # a group of m rows reads at most m of the experts
            idle = max(experts.shape[0] - inputs[0].shape[0], 0)
            read -= float(idle * experts.shape[1] * experts.shape[2] * experts.element_size())
    elif short == "gemm_4bit":
        return _four_bit_product(args, outputs[0], phase)
    elif short.startswith("dequantize"):
        kind = "dequantise"
    elif short in ("int8_mixed_scaled_mm", "int8_scaled_mm"):
        a, weight = inputs[0], inputs[2] if short == "int8_mixed_scaled_mm" else inputs[1]
        m, n, k = prod(a.shape[:-1]), weight.shape[0], weight.shape[1]
        kind, shape, flops, dtype = "matrix", (m, n, k), 2.0 * m * n * k, torch.int8
    elif short in ("attention_forward", "attention_backward"):
        kind = "attention"
        query = inputs[0] if short == "attention_forward" else inputs[1]
        batch, heads, tokens, dim = query.shape
        shape, dtype = (batch, heads, tokens, dim), query.dtype
        flops = 2.0 * batch * heads * tokens * tokens * dim * (1.0 if short == "attention_forward" else 2.5)
    elif short in COPIES:
        kind = "copy"
    if short.startswith("_foreach"):
        count = max(len(args[0]), 1) if isinstance(args[0], (list, tuple)) else 1
        launches, shape = float(max(1, -(-count // 48))), (count,)
        read = written = _bytes(inputs)
    return [OperatorGroup(name=name, kind=kind, dtype=DTYPES.get(dtype, str(dtype)[6:]), shape=shape, calls=1.0, flops=flops,
                          bytes_read=read, bytes_written=written, launches=launches, phase=phase)]


def tensors_of(args: Any) -> list[torch.Tensor]:  # Any: an operator's arguments
    """The tensors without storage among the arguments, those of lists too."""
    found: list[torch.Tensor] = []
    for arg in args:
        if isinstance(arg, torch.Tensor):
            if arg.is_meta:
                found.append(arg)
        elif isinstance(arg, (list, tuple)):
            found += [x for x in arg if isinstance(x, torch.Tensor) and x.is_meta]
    return found


def _bytes(tensors: list[torch.Tensor]) -> float:
    """Bytes of the tensors, each storage once, an expanded one no more than its storage."""
    sizes: dict[int, int] = {}
    for x in tensors:
        storage = x.untyped_storage()
        sizes[storage._cdata] = max(sizes.get(storage._cdata, 0), min(x.numel() * x.element_size(), storage.nbytes()))
    return float(sum(sizes.values()))


def _product(short: str, inputs: list[torch.Tensor]) -> tuple[tuple[int, ...], float]:
    """Shape (m, n, k), batched ones (batch, m, n, k), and FLOPs."""
    a, b = inputs[-2:] if short in ("addmm", "baddbmm") else inputs[:2]
    if short in ("bmm", "baddbmm"):
        batch, m, k = a.shape
        n = b.shape[2]
        return (batch, m, n, k), 2.0 * batch * m * n * k
    if short == "_grouped_mm" or short in LOOPS:
        m, k, n = a.shape[0], a.shape[-1], b.shape[-1]  # the gradient of the weights: (k, tokens) x (tokens, n)
        return (m, n, k), 2.0 * m * n * k * LOOPS.get(short, 1.0)
    m, k = a.shape
    return (m, b.shape[1], k), 2.0 * m * k * b.shape[1]


def _four_bit_product(args: tuple[Any, ...], output: torch.Tensor, phase: str) -> list[OperatorGroup]:
    """The 4-bit product as two operators: dequantise, then multiply."""
    a, packed, (n, k) = args[0], args[1], args[2]
    m = prod(a.shape[:-1])
    dtype, each = DTYPES[a.dtype], a.element_size()
    return [
        OperatorGroup(name="bitsandbytes.dequantize_4bit", kind="dequantise", dtype=dtype, shape=(n, k), calls=1.0, flops=0.0,
                      bytes_read=float(packed.numel() * packed.element_size()), bytes_written=float(n * k * each), phase=phase,
                      launches=2.0),
        OperatorGroup(name="aten.mm", kind="matrix", dtype=dtype, shape=(m, n, k), calls=1.0, flops=2.0 * m * n * k,
                      bytes_read=float((m * k + n * k) * each), bytes_written=float(output.numel() * each), phase=phase),
    ]
