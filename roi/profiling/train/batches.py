"""Batches of a training run: full rows of random tokens, or examples of real lengths in rows that are padded or packed.

Tokens are random either way, as time and memory do not depend on which they are; lengths are what a step's time follows.
"""

from roi.profiling.stack import torch

# isort: split
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, Final, NamedTuple

Row = tuple[int, ...]
"""Lengths of the examples in a row, in their order."""
SHORTEST: Final = 2
"""Tokens of an example that teaches anything: one to read, one to predict."""
IGNORED: Final = -100
"""The label that no loss is computed of."""
POOL: Final = 1000
"""Examples that are packed together, as TRL packs a batch of its map (trl/data_utils.py, pack_dataset)."""


class Batch(NamedTuple):
    """What a model takes in one micro-step."""

    inputs: dict[str, torch.Tensor]
    tokens: int
    """Tokens of its examples."""
    slots: int
    """Tokens that are computed: those, and what fills the rows up."""


def full_rows(tokens: torch.Tensor) -> Iterator[Batch]:
    """A batch of these rows, again and again: a loss that falls shows that the model trains."""
    while True:
        yield Batch({"input_ids": tokens, "labels": tokens}, tokens.numel(), tokens.numel())


def drawn_rows(lengths: Sequence[int], micro_batch: int, most: int, vocab: int, seed: int, *, packed: bool,
               flat: bool) -> Iterator[Batch]:
    """Batches of examples of these lengths in an order drawn from the seed, cut at `most` tokens; again when all have come.

    A row is an example, filled up to the longest of its batch, as a data collator does; with `packed` as many examples as it
    holds, whose positions each begin at 0. `flat`: packed rows lie one behind the other in one, as FlashAttention takes them.
    """
    chance, source = random.Random(seed), torch.Generator().manual_seed(seed)  # noqa: S311 -- an order, no secret
    kept = [min(max(length, SHORTEST), most) for length in lengths]
    waiting: list[Row] = []
    for _ in count():
        while len(waiting) < micro_batch:
            chance.shuffle(kept)
            rows = pack(kept, most) if packed else [(length,) for length in kept]
            chance.shuffle(rows)
            waiting += rows
        rows, waiting = waiting[:micro_batch], waiting[micro_batch:]
        yield _batch(rows, lambda *shape: torch.randint(0, vocab, shape, generator=source), packed=packed, flat=flat)


def pack(lengths: Sequence[int], most: int) -> list[Row]:
    """Rows of at most so many tokens: in each pool the longest first, each into the fullest row that still holds it."""
    found: list[Row] = []
    for start in range(0, len(lengths), POOL):
        rows: list[list[int]] = []
        left: list[int] = []
        for length in sorted(lengths[start: start + POOL], reverse=True):
            best = min((number for number, room in enumerate(left) if room >= length), key=left.__getitem__, default=None)
            if best is None:
                rows.append([length])
                left.append(most - length)
            else:
                rows[best].append(length)
                left[best] -= length
        found += map(tuple, rows)
    return found


def _batch(rows: Sequence[Row], draw: Callable[..., torch.Tensor], *, packed: bool, flat: bool) -> Batch:
    """The tensors of these rows; padding is a further example without labels where rows are packed, masked where not."""
    if flat:
        rows = [tuple(length for row in rows for length in row)]
    width = max(map(sum, rows))
    ids = draw(len(rows), width)
    labels, real = ids.clone(), torch.zeros_like(ids)
    positions = torch.zeros_like(ids)
    for number, row in enumerate(rows):
        start = 0
        for length in (*row, *([width - sum(row)] if width > sum(row) else [])):
            positions[number, start: start + length] = torch.arange(length)
            labels[number, start] = IGNORED  # the token before it is of another example
            start += length
        real[number, : sum(row)] = 1
        labels[number, sum(row):] = IGNORED
    shown: dict[str, Any] = {"position_ids": positions} if packed else {"attention_mask": real}
    return Batch({"input_ids": ids, "labels": labels, **shown}, sum(map(sum, rows)), len(rows) * width)
