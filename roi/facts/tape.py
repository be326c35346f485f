"""What one training step allocates and frees, in order: the record that peak, timeline and allocator replay are read from."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from roi.numerics.arrays import Ints


class Block(NamedTuple):
    """One tensor storage; a tuple, which takes a fifth of the time of a frozen dataclass to make: a step makes 15,000."""

    nbytes: int
    """Bytes asked for, before any rounding."""
    operator: str
    """Operator that made it, for example aten.mm.default; a note such as "load" for what exists before the step."""
    module: str
    """Module that was running: model.layers.3.mlp.down_proj; empty outside modules."""
    phase: str
    """load, forward, loss, backward or optimizer."""
    part: str
    """weights, adapters, gradients, optimizer, activations, logits, workspaces: what it counts as in a breakdown."""


@dataclass(frozen=True)
class Tape:
    """Blocks, and the order in which they come and go."""

    blocks: tuple[Block, ...]
    events: Ints
    """Shape (n,): +(i + 1) where block i is allocated, -(i + 1) where it is freed."""
    phase_starts: tuple[tuple[str, int], ...] = ()
    """Pairs (name of a phase, index into events at which it begins), in order; repeated for every step."""

    @property
    def signed_bytes(self) -> Ints:
        """Shape (n,): bytes that each event adds or gives back, in 512-byte blocks as the caching allocator counts them."""
        sizes = np.asarray([-(-block.nbytes // 512) * 512 for block in self.blocks], dtype=np.int64)
        index = np.abs(self.events) - 1
        signed: Ints = np.sign(self.events) * sizes[index]
        return signed

    @property
    def live_bytes(self) -> Ints:
        """Shape (n,): bytes allocated after each event."""
        return np.cumsum(self.signed_bytes)
