"""What torch's CUDA caching allocator reserves for a tape of allocations: pools, best fit, splits, merges, segments.

The allocator takes memory from the driver in segments and never gives it back while it has room: a block that a tensor
frees stays in its segment and serves a later request. Reserved memory therefore depends on the order in which sizes come
and go, not on their sum alone:

    request     rounded up to 512 bytes; up to 1 MiB it belongs to the small pool, else to the large one
    best fit    the smallest free block of the pool that holds it, the lowest address among equals
    split       what is left over stays free where it is useful: 512 bytes (small pool), more than 1 MiB (large pool)
    segment     where no block fits: 2 MiB (small pool), 20 MiB (below 10 MiB), else the request rounded up to 2 MiB
    free        the block joins the free blocks before and after it in its segment

Source of every rule: pytorch, c10/cuda/CUDACachingAllocator.cpp, class DeviceCachingAllocator (2025); the function of each rule
is named beside it. The constants stand in c10/core/AllocatorConfig.h (namespace c10::CachingAllocator) of 2.13, and in the .cpp
of older versions, with the same values; new is that the 20 MiB segment can be set (PYTORCH_ALLOC_CONF=large_segment_size_mb).

Modelled with its defaults: max_split_size unlimited, no rounding to powers of two, no garbage collection, no expandable
segments, one stream, no graph pools, and a card that never runs full. One thing is assumed: cudaMalloc's addresses rise in
the order of the calls, which decides only between cached blocks of the same size.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from roi.facts.tape import Tape

MIN_BLOCK_BYTES: Final = 512
"""kMinBlockSize; round_size: every request is rounded up to a multiple of it."""
SMALL_REQUEST_BYTES: Final = 1 << 20
"""kSmallSize; get_pool: the largest request of the small pool. should_split: the large pool leaves a remainder that is no
larger with the block, for only the small pool could use it."""
SMALL_SEGMENT_BYTES: Final = 2 << 20
"""kSmallBuffer; get_allocation_size: segment of the small pool."""
LARGE_SEGMENT_BYTES: Final = 20 << 20
"""AcceleratorAllocatorConfig::large_segment_size (kLargeBuffer in older versions): segment of a request below
LARGE_REQUEST_BYTES."""
LARGE_REQUEST_BYTES: Final = 10 << 20
"""kMinLargeAlloc; get_allocation_size: from here on a request gets a segment of its own size."""
SEGMENT_STEP_BYTES: Final = 2 << 20
"""kRoundLarge: that segment is rounded up to a multiple of it."""


@dataclass(frozen=True)
class AllocatorReplay:
    """The highest that each of the allocator's counters reached while a tape was played; bytes."""

    peak_reserved_bytes: int
    """torch.cuda.max_memory_reserved. It is also what is reserved at the end, since nothing is given back."""
    peak_active_bytes: int
    """torch.cuda.max_memory_allocated: blocks as handed out, which may be up to 1 MiB larger than asked for."""
    peak_allocated_bytes: int
    """Requests rounded up to 512 bytes: the tape's own peak, `Tape.live_bytes`."""


def replay_allocator(tape: Tape, *, repeats: int = 2) -> AllocatorReplay:
    """What torch reserves for the tape, in bytes.

    The events from the start of the last "step" on are played `repeats` times, because a step finds the holes of the one
    before it. A step that leaves everything where it found it, as the next one would, ends the play. Blocks of 0 bytes take
    nothing.
    """
    sizes = [-(-block.nbytes // MIN_BLOCK_BYTES) * MIN_BLOCK_BYTES for block in tape.blocks]
    events: list[int] = tape.events.tolist()
    small, large = _Pool(), _Pool(large=True)
    held: dict[tuple[int, int], _Block] = {}
    requested = peak_requested = active = peak_active = played = 0
    found: _State | None = None
    for index, copy in _order(tape, events, repeats):
        if copy > played:
            played, before, found = copy, found, _state(small, large, held)
            if found == before:
                break
        event = events[index]
        which = abs(event) - 1
        size, key = sizes[which], (which, copy)
        if size == 0:
            continue
        pool = small if size <= SMALL_REQUEST_BYTES else large
        if event < 0:
            block = held.pop(key, None)
            if block is None:
                raise ValueError(f"event {index}: block {which} is freed, but not allocated")
            active -= block.size
            requested -= size
            pool.take_back(block)
            continue
        if key in held:
            raise ValueError(f"event {index}: block {which} is allocated twice")
        held[key] = block = pool.hand_out(size)
        active += block.size
        requested += size
        peak_active = max(peak_active, active)
        peak_requested = max(peak_requested, requested)
    return AllocatorReplay(small.reserved + large.reserved, peak_active, peak_requested)


def _order(tape: Tape, events: list[int], repeats: int) -> Iterator[tuple[int, int]]:
    """Pairs (index into `events`, number of the step that its block belongs to), in the order in which they are played.

    A repeated step plays only the blocks that come and go in it: what a step leaves alive is made once (states, casts), and
    the next one has it. What forward made and the step frees after the optimizer is what the loop's variables hold, its
    output and loss; a loop gives them up when the next forward has returned, so there the two live side by side. A gradient
    that forward made, of a head whose loss runs in chunks, went with the others.
    """
    begin = dict(tape.phase_starts)  # the last of each name
    start = begin.get("step", len(events))
    step = range(start, len(events))
    passing = {events[i] for i in step if events[i] > 0} & {-events[i] for i in step if events[i] < 0}
    returned = next((index for name, index in tape.phase_starts if name == "backward" and index >= start), None)
    late = [] if returned is None else [
        i for i in range(max(begin.get("optimizer", len(events)), start), len(events))
        if -events[i] in passing and (block := tape.blocks[-events[i] - 1]).phase in ("forward", "loss")
        and block.part != "gradients"
    ]
    waiting = set(late)
    yield from ((index, 0) for index in range(start))
    for copy in range(max(repeats, 1)):
        for index in step:
            if copy and index == returned:
                yield from ((i, copy - 1) for i in late)
            if index not in waiting and (copy == 0 or abs(events[index]) in passing):
                yield index, copy
    yield from ((i, max(repeats, 1) - 1) for i in late)


class _Block:
    """A part of a segment, in use or free, linked to its neighbours in the segment (struct Block)."""

    __slots__ = ("address", "after", "before", "free", "size")

    def __init__(self, address: int, size: int) -> None:
        self.address, self.size, self.free = address, size, True
        self.before: _Block | None = None
        self.after: _Block | None = None


class _Pool:
    """The segments of one size class, and their free blocks by size and address, as BlockComparatorSize sorts them."""

    def __init__(self, *, large: bool = False) -> None:
        self.large = large
        self.reserved = 0
        """Bytes of all segments; the next segment's address."""
        self.order: list[tuple[int, int, _Block]] = []
        """The free blocks; no two have the same address."""

    def hand_out(self, size: int) -> _Block:
        """A block for a rounded request: the best fit, else that of a new segment; the rest is split off (malloc).

        The best fit is the smallest free block that holds it, the lowest address among equals (get_free_block).
        """
        index = bisect_left(self.order, (size,))
        block = self.order.pop(index)[2] if index < len(self.order) else self._new_segment(size)
        rest = block.size - size
        if rest >= (SMALL_REQUEST_BYTES + 1 if self.large else MIN_BLOCK_BYTES):  # should_split
            block.size = size
            remainder = _Block(block.address + size, rest)
            remainder.before, remainder.after = block, block.after
            if block.after is not None:
                block.after.before = remainder
            block.after = remainder
            insort(self.order, (rest, remainder.address, remainder))
        block.free = False
        return block

    def take_back(self, block: _Block) -> None:
        """Put the block back, joined with free neighbours (free_block, try_merge_blocks)."""
        block.free = True
        before, after = block.before, block.after
        if before is not None and before.free:
            self._remove(before)
            block.address, block.size, block.before = before.address, before.size + block.size, before.before
            if block.before is not None:
                block.before.after = block
        if after is not None and after.free:
            self._remove(after)
            block.size, block.after = block.size + after.size, after.after
            if block.after is not None:
                block.after.before = block
        insort(self.order, (block.size, block.address, block))

    def _new_segment(self, size: int) -> _Block:
        """A segment from cudaMalloc, as one block (get_allocation_size, alloc_block)."""
        segment = LARGE_SEGMENT_BYTES if self.large else SMALL_SEGMENT_BYTES
        if size >= LARGE_REQUEST_BYTES:
            segment = -(-size // SEGMENT_STEP_BYTES) * SEGMENT_STEP_BYTES
        block = _Block(self.reserved, segment)
        self.reserved += segment
        return block

    def _remove(self, block: _Block) -> None:
        del self.order[bisect_left(self.order, (block.size, block.address))]


_State = tuple[list[list[tuple[int, int]]], dict[int, int]]
"""Size and address of the free blocks of each pool; the event that allocated a block in use -> its address."""


def _state(small: _Pool, large: _Pool, held: dict[tuple[int, int], _Block]) -> _State:
    """All that the play of another step depends on: free blocks and blocks in use make up the segments."""
    free = [[(size, address) for size, address, _ in pool.order] for pool in (small, large)]
    return free, {which: block.address for (which, _), block in held.items()}
