"""What torch's CUDA caching allocator reserves for a tape: pools, best fit, splits, merges, segments, retries.

Source of every rule: pytorch, c10/cuda/CUDACachingAllocator.cpp, class DeviceCachingAllocator (2025). The constants stand in
c10/core/AllocatorConfig.h (namespace c10::CachingAllocator) of 2.13, and in the .cpp of older versions, with the same values;
new is that the 20 MiB segment can be set (PYTORCH_ALLOC_CONF=large_segment_size_mb).

Modelled with its defaults: max_split_size unlimited, no rounding to powers of two, no garbage collection, one stream, no
graph pools. Two things are assumed: cudaMalloc's addresses rise in the order of the calls (it decides only between cached
blocks of the same size), and an expandable segment never runs out of addresses (torch reserves 9/8 of the card).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from roi.estimate.allocator.block_pool import BlockPool, MemoryBlock
from roi.facts.tape import Tape

MIN_BLOCK_BYTES: Final = 512
"""kMinBlockSize; round_size: every request is rounded up to a multiple of it."""
SMALL_REQUEST_BYTES: Final = 1 << 20
"""kSmallSize; get_pool: the largest request of the small pool. should_split: the large pool leaves a remainder that is no
larger with the block, for only the small pool could use it."""
SMALL_SEGMENT_BYTES: Final = 2 << 20
"""kSmallBuffer; get_allocation_size: segment of the small pool, and granule of its expandable segment."""
LARGE_SEGMENT_BYTES: Final = 20 << 20
"""AcceleratorAllocatorConfig::large_segment_size (kLargeBuffer in older versions): segment of a request below
LARGE_REQUEST_BYTES, and granule of the large pool's expandable segment."""
LARGE_REQUEST_BYTES: Final = 10 << 20
"""kMinLargeAlloc; get_allocation_size: from here on a request gets a segment of its own size."""
SEGMENT_STEP_BYTES: Final = 2 << 20
"""kRoundLarge: that segment is rounded up to a multiple of it."""
ADDRESS_SPACE: Final = 1 << 60
"""Addresses that the model gives each pool; stands for "no limit"."""


@dataclass(frozen=True)
class AllocatorReplay:
    """What the allocator held while a tape was played; bytes."""

    peak_reserved_bytes: int
    """torch.cuda.max_memory_reserved."""
    peak_active_bytes: int
    """torch.cuda.max_memory_allocated: blocks as handed out, which may be up to 1 MiB larger than asked for."""
    peak_allocated_bytes: int
    """Requests rounded up to 512 bytes: the tape's own peak, `Tape.live_bytes`."""
    reserved_bytes: int
    """Reserved at the end."""
    inactive_split_bytes: int
    """Free, but in a segment that is partly in use, when the reserved peak was reached: what no emptying of the cache gives
    back. 0 with expandable segments, as torch counts."""
    segments: int
    """Segments held at the end; with expandable segments, the pools that have one."""
    retries: int
    """Times that the cache was given back because a new segment did not fit."""
    out_of_memory_event: int | None
    """Index into Tape.events of the request that did not fit; None where all did."""

    @property
    def out_of_memory(self) -> bool:
        """True where the tape did not run to its end."""
        return self.out_of_memory_event is not None


def replay_allocator(
    tape: Tape, *, capacity_bytes: float | None = None, repeats: int = 2, expandable: bool = False,
) -> AllocatorReplay:
    """What torch reserves for the tape, in bytes.

    The events after the last "step" mark are played `repeats` times, because a step finds the holes of the one before it.
    `capacity_bytes` is what the card leaves for segments (its memory less the CUDA context); None = no limit. `expandable`
    is expandable_segments:True. Blocks of 0 bytes take nothing.
    """
    sizes = [-(-block.nbytes // MIN_BLOCK_BYTES) * MIN_BLOCK_BYTES for block in tape.blocks]
    events: list[int] = tape.events.tolist()
    allocator = _Allocator(capacity_bytes, expandable)
    held: dict[tuple[int, int], MemoryBlock] = {}
    requested = peak_requested = 0
    failed: int | None = None
    for index, copy in _order(tape, events, repeats):
        which = abs(events[index]) - 1
        size, key = sizes[which], (which, copy)
        if size == 0:
            continue
        if events[index] < 0:
            if key not in held:
                raise ValueError(f"event {index}: block {which} is freed, but not allocated")
            allocator.free(held.pop(key), size <= SMALL_REQUEST_BYTES)
            requested -= size
            continue
        if key in held:
            raise ValueError(f"event {index}: block {which} is allocated twice")
        block = allocator.allocate(size)
        if block is None:
            failed = index
            break
        held[key] = block
        requested += size
        peak_requested = max(peak_requested, requested)
    return AllocatorReplay(
        allocator.peak_reserved, allocator.peak_active, peak_requested, allocator.reserved, allocator.inactive_at_peak,
        allocator.segments, allocator.retries, failed,
    )


def _order(tape: Tape, events: list[int], repeats: int) -> Iterator[tuple[int, int]]:
    """(index into events, copy of the step that its block belongs to) in the order of playing.

    A repeated step plays only the blocks that come and go in it: what a step leaves alive is made once (states, casts), and
    the next one has it. What forward made and the step frees after the optimizer is what the loop's variables hold, its
    output and loss; a loop gives them up when the next forward has returned, so there the two live side by side.
    """
    begin = dict(tape.marks)  # the last of each name
    start = begin.get("step", len(events))
    step = range(start, len(events))
    passing = {events[i] for i in step if events[i] > 0} & {-events[i] for i in step if events[i] < 0}
    returned = next((index for name, index in tape.marks if name == "backward" and index >= start), None)
    late = [] if returned is None else [
        i for i in range(max(begin.get("optimizer", len(events)), start), len(events))
        if -events[i] in passing and tape.blocks[-events[i] - 1].phase in ("forward", "loss")
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


class _Allocator:
    """Both pools and their counters."""

    def __init__(self, capacity: float | None, expandable: bool) -> None:
        self.capacity, self.expandable = capacity, expandable
        self.small, self.large = BlockPool(0, SMALL_SEGMENT_BYTES), BlockPool(ADDRESS_SPACE, LARGE_SEGMENT_BYTES)
        self.reserved = self.peak_reserved = self.active = self.peak_active = 0
        self.inactive = self.inactive_at_peak = self.segments = self.retries = 0

    def allocate(self, size: int) -> MemoryBlock | None:
        """A block for a rounded request (malloc): cached, else new, else new after the cache is given back; None = no room."""
        pool = self.small if size <= SMALL_REQUEST_BYTES else self.large
        reserve = self._map_room if self.expandable else self._new_segment
        before = self.peak_reserved
        block = pool.best_fit(size) or reserve(pool, size)
        if block is None:
            self.retries += 1
            self._give_back(self.large)
            self._give_back(self.small)
            block = reserve(pool, size)
        if block is None:
            return None
        pool.remove(block)
        self._cut(pool, block, size)
        block.free = False
        self.active += block.size
        self.peak_active = max(self.peak_active, self.active)
        if self.peak_reserved > before:
            self.inactive_at_peak = self.inactive
        return block

    def free(self, block: MemoryBlock, small: bool) -> None:
        """Put the block back and join it with free neighbours (free_block)."""
        pool = self.small if small else self.large
        self.active -= block.size
        block.free = True
        taken = pool.merge(block, block.before) + pool.merge(block, block.after)
        pool.add(block)
        if not self.expandable:
            self.inactive += (block.size if block.split else 0) - taken

    def _cut(self, pool: BlockPool, block: MemoryBlock, size: int) -> None:
        """Keep `size` of the block and leave the rest free, where should_split says so (alloc_found_block)."""
        rest, was_split = block.size - size, block.split
        least = MIN_BLOCK_BYTES if pool is self.small or self.expandable else SMALL_REQUEST_BYTES + 1
        if rest >= least:
            block.size = size
            remainder = MemoryBlock(block.address + size, rest)
            block.put_after(remainder)
            pool.add(remainder)
            change = -size if was_split else rest
        else:
            change = -block.size if was_split else 0
        self.inactive += 0 if self.expandable else change

    def _reserve(self, size: int) -> bool:
        """True where the card has `size` more bytes, which are then taken."""
        if self.capacity is not None and self.reserved + size > self.capacity:
            return False
        self.reserved += size
        self.peak_reserved = max(self.peak_reserved, self.reserved)
        return True

    def _new_segment(self, pool: BlockPool, size: int) -> MemoryBlock | None:
        """A segment from cudaMalloc, as one free block (get_allocation_size, alloc_block)."""
        whole = pool.granule if size < LARGE_REQUEST_BYTES else -(-size // SEGMENT_STEP_BYTES) * SEGMENT_STEP_BYTES
        if not self._reserve(whole):
            return None
        block = MemoryBlock(pool.next_address, whole)
        pool.next_address += whole
        pool.add(block)
        self.segments += 1
        return block

    def _give_back(self, pool: BlockPool) -> None:
        """Return what is wholly free (release_cached_blocks): segments, or the granules inside free blocks."""
        for block in [pool.blocks[address] for _, address in pool.free]:
            if self.expandable:
                self._unmap(pool, block)
            elif not block.split:
                pool.remove(block)
                self.reserved -= block.size
                self.segments -= 1

    def _map_room(self, pool: BlockPool, size: int) -> MemoryBlock | None:
        """A free block of at least `size` at the lowest address that mapping can make (try_allocate_expandable_block)."""
        if not pool.blocks and pool.next_address == pool.base:
            pool.next_address += ADDRESS_SPACE
            pool.add(MemoryBlock(pool.base, ADDRESS_SPACE, mapped=False))
            self.segments += 1
        block = pool.lowest_room(size)
        if not block.mapped:
            mapped = self._map(pool, block, min(block.size, size))
            if mapped is None:
                return None
            block = mapped
        while block.size < size:
            assert block.after is not None  # lowest_room found room enough
            mapped = self._map(pool, block.after, min(size - block.size, block.after.size))
            if mapped is None:
                return None
            block = mapped
        return block

    def _map(self, pool: BlockPool, block: MemoryBlock, size: int) -> MemoryBlock | None:
        """The unmapped block's first bytes, in whole granules, mapped and joined with free neighbours (map_block)."""
        whole = -(-size // pool.granule) * pool.granule
        if not self._reserve(whole):
            return None
        pool.remove(block)
        if whole < block.size:
            rest = MemoryBlock(block.address + whole, block.size - whole, mapped=False)
            block.put_after(rest)
            pool.add(rest)
            block.size = whole
        block.mapped = True
        pool.merge(block, block.before)
        pool.merge(block, block.after)
        pool.add(block)
        return block

    def _unmap(self, pool: BlockPool, block: MemoryBlock) -> None:
        """Give back the whole granules inside a free block (unmap_block)."""
        first = pool.base + -(-(block.address - pool.base) // pool.granule) * pool.granule
        last = pool.base + (block.address + block.size - pool.base) // pool.granule * pool.granule
        if first >= last:
            return
        pool.remove(block)
        end = block.address + block.size
        if first > block.address:
            block.size = first - block.address
            empty = MemoryBlock(first, last - first, mapped=False)
            block.put_after(empty)
            pool.add(block)
        else:
            empty = block
            empty.mapped, empty.size = False, last - first
        if end > last:
            rest = MemoryBlock(last, end - last)
            empty.put_after(rest)
            pool.add(rest)
        pool.merge(empty, empty.before)
        pool.merge(empty, empty.after)
        pool.add(empty)
        self.reserved -= last - first
