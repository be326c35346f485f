"""Blocks of device memory as torch's caching allocator keeps them: free ones by size, neighbours joined.

Source: pytorch, c10/cuda/CUDACachingAllocator.cpp, structs Block and BlockPool; the function of each rule is named beside it.
"""

from bisect import bisect_left, insort


class MemoryBlock:
    """Part of a segment: in use, free, or (expandable segments) without memory behind its addresses."""

    __slots__ = ("address", "after", "before", "free", "mapped", "size")

    def __init__(self, address: int, size: int, *, mapped: bool = True) -> None:
        self.address, self.size, self.mapped, self.free = address, size, mapped, True
        self.before: MemoryBlock | None = None
        self.after: MemoryBlock | None = None

    @property
    def split(self) -> bool:
        """True where the segment holds other blocks (is_split)."""
        return self.before is not None or self.after is not None

    def put_after(self, rest: "MemoryBlock") -> None:
        """Link `rest` in as the next block."""
        rest.before, rest.after = self, self.after
        if self.after is not None:
            self.after.before = rest
        self.after = rest


class BlockPool:
    """Blocks nobody uses: the free ones by (size, address), as BlockComparatorSize sorts; the unmapped ones by address."""

    def __init__(self, base: int, granule: int) -> None:
        self.base, self.granule = base, granule
        self.free: list[tuple[int, int]] = []
        self.unmapped: list[int] = []
        self.blocks: dict[int, MemoryBlock] = {}
        self.next_address = base

    def add(self, block: MemoryBlock) -> None:
        """Keep a block that nobody uses."""
        self.blocks[block.address] = block
        if block.mapped:
            insort(self.free, (block.size, block.address))
        else:
            insort(self.unmapped, block.address)

    def remove(self, block: MemoryBlock) -> None:
        """Take a block out."""
        del self.blocks[block.address]
        if block.mapped:
            del self.free[bisect_left(self.free, (block.size, block.address))]
        else:
            del self.unmapped[bisect_left(self.unmapped, block.address)]

    def merge(self, block: MemoryBlock, other: MemoryBlock | None) -> int:
        """Bytes that `block` (not in the pool) took over from its neighbour; 0 where it could not (try_merge_blocks)."""
        if other is None or not other.free or other.mapped != block.mapped:
            return 0
        self.remove(other)
        if other is block.before:
            block.address, block.before = other.address, other.before
            if block.before is not None:
                block.before.after = block
        else:
            block.after = other.after
            if block.after is not None:
                block.after.before = block
        block.size += other.size
        return other.size

    def best_fit(self, size: int) -> MemoryBlock | None:
        """The smallest free block that holds `size`, lowest address first (get_free_block); stays in the pool.

        A block at the growing end of an expandable segment counts with what it can grow to: others are taken before it.
        """
        index = bisect_left(self.free, (size, -1))
        if index == len(self.free):
            return None
        block = self.blocks[self.free[index][1]]
        for _, address in self.free[index + 1:] if room_bytes(block) != block.size else ():
            following = self.blocks[address]
            if room_bytes(following) >= room_bytes(block):
                break
            block = following
        return block

    def lowest_room(self, size: int) -> MemoryBlock:
        """The first of the neighbours, free or unmapped, that hold `size` together; lowest address (find_expandable_block)."""
        for address in self.unmapped:
            first = self.blocks[address]
            if first.before is not None and first.before.free:
                first = first.before
            room, block = 0, first
            while block.free:
                room += block.size
                if room >= size:
                    return first
                if block.after is None:
                    break
                block = block.after
        raise AssertionError("the last block of a pool is unmapped and has room")


def room_bytes(block: MemoryBlock) -> int:
    """Its size, with the unmapped addresses after it, into which it can grow (expandable_size)."""
    after = block.after
    return block.size + (after.size if after is not None and not after.mapped else 0)
