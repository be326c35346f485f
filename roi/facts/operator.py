"""One group of equal operators of a training step, with the work that a roofline needs."""

from typing import Literal

from pydantic import NonNegativeFloat, PositiveFloat

from roi.facts.fact import Record

OperatorKind = Literal["matrix", "attention", "elementwise", "copy", "dequantise"]
"""matrix: products; attention: fused kernels; copy: moves without arithmetic; dequantise: 4-bit or int8 to 16 bits."""


class OperatorGroup(Record):
    """Equal operators: same name, shapes and dtype; figures are of one call."""

    name: str
    """Operator, for example aten.mm."""
    kind: OperatorKind
    """Which rate bounds it."""
    dtype: str
    """Compute type: bf16, fp16, fp32, int8."""
    shape: tuple[int, ...] = ()
    """Matrix products: (m, n, k), batched ones (batch, m, n, k). Else the result's shape."""
    calls: PositiveFloat
    """Calls in one micro-step (or optimizer step)."""
    flops: NonNegativeFloat
    """Arithmetic of one call; 0 where none counts."""
    bytes_read: NonNegativeFloat
    """Bytes of the operands of one call, each once."""
    bytes_written: NonNegativeFloat
    """Bytes of the results of one call."""
    launches: NonNegativeFloat = 1.0
    """Kernels of one call on CUDA."""
    phase: str
    """forward, loss, backward or optimizer."""
