"""torch's caching allocator: cases worked by hand, properties, a slow allocator written apart, and the CUDA context."""

import time
from dataclasses import dataclass, field

import fit_allocator_slack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roi.catalog.cards.cuda_contexts import ContextRow, context_rows, cuda_context, fit_context
from roi.catalog.cards.gpus import find_gpu, load_gpus
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.catalog.models.shapes import find_model
from roi.estimate.allocator.caching_allocator import replay_allocator
from roi.estimate.training.fitting import SLACK_OF_PEAK, Overhead
from roi.estimate.training.memory import training_memory
from roi.facts.fact import Basis
from roi.facts.tape import Block, Tape
from roi.units import GIB

KIB, MIB = 2**10, 2**20


def tape_of(sizes, events, step=None):
    """Blocks of those bytes; events as in Tape; `step`: index where a step begins."""
    blocks = tuple(Block(size, "aten.empty", "", "forward", "activations") for size in sizes)
    return Tape(blocks, np.asarray(events, dtype=np.int64), () if step is None else (("step", step),))


def replay(sizes, events, step=None, **options):
    return replay_allocator(tape_of(sizes, events, step), **options)


# Segments


@pytest.mark.parametrize(("asked", "segment"), [
    (1, 2 * MIB), (MIB, 2 * MIB), (MIB + 1, 20 * MIB), (10 * MIB - 512, 20 * MIB), (10 * MIB, 10 * MIB), (11 * MIB, 12 * MIB),
    (20 * MIB + 1, 22 * MIB), (10 * MIB - 1, 10 * MIB),
])
def test_a_request_opens_the_segment_of_its_size_class(asked, segment):
    """1 MiB is the last small request; from 10 MiB (10 MiB - 1 rounds up to it) the segment is the request to 2 MiB."""
    assert replay([asked], [1]).peak_reserved_bytes == segment


def test_requests_are_rounded_to_512_bytes():
    """1 + 513 bytes take 512 + 1024 of a 2 MiB segment."""
    result = replay([1, 513], [1, 2])
    assert (result.peak_allocated_bytes, result.peak_active_bytes, result.segments) == (1536, 1536, 1)


def test_an_empty_block_takes_nothing():
    result = replay([0, 512], [1, 2, -1, -2])
    assert (result.peak_allocated_bytes, result.segments) == (512, 1)


def test_a_small_segment_holds_two_requests_of_1_mib_and_the_third_opens_another():
    assert replay([MIB] * 2, [1, 2]).peak_reserved_bytes == 2 * MIB
    assert replay([MIB] * 3, [1, 2, 3]).peak_reserved_bytes == 4 * MIB


# Splits and merges


def test_the_large_pool_leaves_a_remainder_of_1_mib_with_the_block():
    """11 MiB in a 12 MiB segment: 1 MiB is left, not more than 1 MiB, so the block keeps it and torch counts 12 MiB."""
    result = replay([11 * MIB], [1])
    assert (result.peak_active_bytes, result.peak_allocated_bytes, result.inactive_split_bytes) == (12 * MIB, 11 * MIB, 0)


def test_the_large_pool_splits_off_more_than_1_mib():
    """11 MiB less 512 bytes in a 12 MiB segment: 1 MiB + 512 bytes are split off and lie idle."""
    result = replay([11 * MIB - 512], [1])
    assert (result.peak_active_bytes, result.inactive_split_bytes) == (11 * MIB - 512, MIB + 512)


def test_a_split_remainder_serves_the_next_request():
    """5 MiB of 20, then 14 MiB would be a segment of its own, but fits the 15 MiB left; 1 MiB stays with it."""
    result = replay([5 * MIB, 14 * MIB], [1, 2])
    assert (result.peak_reserved_bytes, result.peak_active_bytes, result.peak_allocated_bytes) == (20 * MIB, 20 * MIB, 19 * MIB)


def test_freed_neighbours_merge():
    """Four blocks of 5 MiB fill 20 MiB. The middle two freed in either order make 10 MiB together, which a request fits."""
    for order in ([-2, -3], [-3, -2]):
        result = replay([5 * MIB] * 4 + [10 * MIB], [1, 2, 3, 4, *order, 5])
        assert (result.peak_reserved_bytes, result.segments) == (20 * MIB, 1)


def test_blocks_that_are_no_neighbours_do_not_merge():
    """The first and third of four freed: two holes of 5 MiB, so 10 MiB open a segment: 30 MiB reserved for 20 in use."""
    result = replay([5 * MIB] * 4 + [10 * MIB], [1, 2, 3, 4, -1, -3, 5])
    assert result.peak_reserved_bytes == 30 * MIB
    assert result.peak_allocated_bytes == 20 * MIB
    assert result.inactive_split_bytes == 10 * MIB


def test_segments_do_not_merge():
    """Two freed segments of 12 MiB hold no request of 24 MiB."""
    assert replay([12 * MIB, 12 * MIB, 24 * MIB], [1, 2, -1, -2, 3]).peak_reserved_bytes == 48 * MIB


def test_the_smallest_block_that_fits_is_taken():
    """Free 30 and 20 MiB: 15 MiB go into the 20, so that 30 still fit the other: 50 MiB in all."""
    sizes = [30 * MIB, 20 * MIB, 15 * MIB, 30 * MIB]
    assert replay(sizes, [1, 2, -1, -2, 3, 4]).peak_reserved_bytes == 50 * MIB


def test_the_pools_do_not_share():
    """A free large segment of 20 MiB does not serve 1 MiB."""
    assert replay([2 * MIB, MIB], [1, -1, 2]).peak_reserved_bytes == 22 * MIB


def test_a_freed_logits_block_that_a_smaller_one_splits_is_lost_for_the_next_logits():
    """100 MiB freed, 60 MiB live in it, 100 MiB again: 200 MiB reserved, never more than 160 allocated."""
    result = replay([100 * MIB, 60 * MIB, 100 * MIB], [1, -1, 2, 3])
    assert (result.peak_reserved_bytes, result.peak_allocated_bytes) == (200 * MIB, 160 * MIB)
    assert result.inactive_split_bytes == 40 * MIB


# Steps


def test_a_second_step_finds_the_segments_of_the_first():
    """12 MiB, freed; 10 in its place (2 stay with a block of their own, split off); 12 open a segment. Again: all fit."""
    assert replay([12 * MIB, 10 * MIB, 12 * MIB], [1, -1, 2, 3, -2, -3], 0, repeats=3).peak_reserved_bytes == 24 * MIB


def test_a_second_step_may_reserve_more_than_the_first():
    """First: 2 and 12 MiB share 20 (6 left), 10 open their own: 30. Then the 2 fit best into the 10 (8 left), 12 go into the
    20 (8 left), and 10 find no place: 40. A third step finds 10, 10 and 20, takes the same way and stays at 40."""
    sizes, events = [2 * MIB, 12 * MIB, 10 * MIB], [1, 2, 3, -3, -2, -1]
    assert [replay(sizes, events, 0, repeats=n).peak_reserved_bytes // MIB for n in (1, 2, 3)] == [30, 40, 40]


def test_what_a_step_leaves_alive_is_made_once():
    """12 MiB stay, 14 MiB come and go: 26 MiB after any number of steps."""
    for repeats in (1, 2, 5):
        result = replay([12 * MIB, 14 * MIB], [1, 2, -2], 0, repeats=repeats)
        assert (result.peak_reserved_bytes, result.peak_allocated_bytes) == (26 * MIB, 26 * MIB)


def test_what_a_step_frees_of_the_load_is_freed_once():
    """12 MiB of the load are freed in the step, whose 10 MiB then lie in their place: 12 MiB."""
    result = replay([12 * MIB, 10 * MIB], [1, -1, 2, -2], 1, repeats=3)
    assert (result.peak_reserved_bytes, result.peak_allocated_bytes) == (12 * MIB, 12 * MIB)


def test_only_the_last_step_is_repeated():
    """The first step keeps 12 MiB, the second only uses 14: 26 MiB, not 12 more a step."""
    blocks = tape_of([12 * MIB, 14 * MIB], []).blocks
    tape = Tape(blocks, np.asarray([1, 2, -2], dtype=np.int64), (("load", 0), ("step", 0), ("step", 1), ("forward", 1)))
    assert replay_allocator(tape, repeats=5).peak_reserved_bytes == 26 * MIB


def test_the_output_that_the_loop_holds_lives_through_the_next_forward():
    """Forward makes 30 MiB that the loop's variable holds to the end of the step. The second forward makes 30 more before the
    variable changes hands: 60 MiB, and no more with a third step, which finds the first 30 free again."""
    block = Block(30 * MIB, "aten.mm", "lm_head", "forward", "logits")
    marks = (("step", 0), ("forward", 0), ("backward", 1), ("optimizer", 1))
    tape = Tape((block,), np.asarray([1, -1], dtype=np.int64), marks)
    for repeats, mib in ((1, 30), (2, 60), (3, 60)):
        result = replay_allocator(tape, repeats=repeats)
        assert (result.peak_reserved_bytes, result.peak_allocated_bytes) == (mib * MIB, mib * MIB)


def test_an_output_that_is_gone_before_the_optimizer_does_not_meet_the_next():
    blocks = (Block(30 * MIB, "aten.mm", "lm_head", "forward", "logits"),)
    tape = Tape(blocks, np.asarray([1, -1], dtype=np.int64), (("step", 0), ("forward", 0), ("backward", 1), ("optimizer", 2)))
    assert replay_allocator(tape, repeats=3).peak_reserved_bytes == 30 * MIB


def test_freeing_what_is_not_held_is_an_error():
    with pytest.raises(ValueError, match="block 0 is freed, but not allocated"):
        replay([MIB], [-1])
    with pytest.raises(ValueError, match="block 0 is allocated twice"):
        replay([MIB], [1, 1])


# Capacity


def test_a_segment_that_does_not_fit_gives_the_cache_back_first():
    """40 MiB: 20 cached, 30 do not fit beside them, so the 20 go back."""
    result = replay([20 * MIB, 30 * MIB], [1, -1, 2], capacity_bytes=40 * MIB)
    assert (result.retries, result.out_of_memory, result.reserved_bytes, result.segments) == (1, False, 30 * MIB, 1)
    assert result.peak_reserved_bytes == 30 * MIB


def test_a_segment_partly_in_use_does_not_go_back():
    """40 MiB: a 20 MiB segment holds 2 MiB, so 30 MiB never fit, though 38 are free: out of memory at event 3."""
    sizes = [2 * MIB, 18 * MIB, 30 * MIB]
    result = replay(sizes, [1, 2, -2, 3], capacity_bytes=40 * MIB)
    assert (result.retries, result.out_of_memory, result.out_of_memory_event) == (1, True, 3)
    assert result.reserved_bytes == 20 * MIB


def test_the_capacity_itself_still_fits():
    assert not replay([20 * MIB], [1], capacity_bytes=20 * MIB).out_of_memory
    assert replay([20 * MIB], [1], capacity_bytes=20 * MIB - 1).out_of_memory


# Expandable segments


def test_expandable_segments_map_20_mib_at_a_time():
    """11 MiB map 20; 11 more make 22, so one more granule: 40. Apart they would be 2 x 12."""
    assert replay([11 * MIB], [1], expandable=True).peak_reserved_bytes == 20 * MIB
    result = replay([11 * MIB] * 2, [1, 2], expandable=True)
    assert (result.peak_reserved_bytes, result.peak_active_bytes, result.segments) == (40 * MIB, 22 * MIB, 1)


def test_expandable_segments_grow_over_a_freed_tail():
    """30 MiB freed, then 50: the same segment grows from 40 to 60 MiB; segments of their own would be 80."""
    result = replay([30 * MIB, 50 * MIB], [1, -1, 2], expandable=True)
    assert result.peak_reserved_bytes == 60 * MIB
    assert replay([30 * MIB, 50 * MIB], [1, -1, 2]).peak_reserved_bytes == 80 * MIB


def test_expandable_segments_map_2_mib_for_small_requests():
    assert replay([MIB] * 3, [1, 2, 3], expandable=True).peak_reserved_bytes == 4 * MIB


def test_expandable_segments_split_to_512_bytes():
    """19.5 MiB in a granule of 20: the 0.5 MiB left are split off, so that nothing is rounded up."""
    result = replay([39 * MIB // 2], [1], expandable=True)
    assert (result.peak_active_bytes, result.inactive_split_bytes) == (39 * MIB // 2, 0)


def test_expandable_segments_keep_their_growing_end_for_last():
    """30 + 5 MiB in 40, the 30 freed: 4 MiB would fit the 5 at the end best, but the end can grow, so they go into the 30.
    Then 30 MiB no longer fit there: the end's 5 and 25 more, in two granules: 80."""
    sizes = [30 * MIB, 5 * MIB, 4 * MIB, 30 * MIB]
    assert replay(sizes, [1, 2, -1, 3, 4], expandable=True).peak_reserved_bytes == 80 * MIB


def test_expandable_segments_give_back_the_granules_inside_a_free_block():
    """50 and 10 MiB fill three granules of 20. The 50 are freed: two granules are empty, the third holds the 10. A card of
    100 MiB has 40 left, too little for 80; with the two given back it has 80, which map to four granules: 20 + 80."""
    result = replay([50 * MIB, 10 * MIB, 80 * MIB], [1, 2, -1, 3], capacity_bytes=100 * MIB, expandable=True)
    assert (result.retries, result.out_of_memory, result.reserved_bytes) == (1, False, 100 * MIB)


# Properties and the slow allocator

SIZES = st.one_of(
    st.integers(0, 4 * KIB), st.integers(1, 2 * MIB), st.integers(1, 64 * MIB),
    st.sampled_from([MIB, MIB + 1, 10 * MIB, 10 * MIB - 512, 11 * MIB, 20 * MIB]),
)


@st.composite
def tapes(draw, closed=False):
    """Random blocks that come and go in a random order; `closed`: all go again."""
    sizes = draw(st.lists(SIZES, min_size=1, max_size=60))
    events, live = [], []
    for index in range(len(sizes)):
        events.append(index + 1)
        live.append(index + 1)
        while live and draw(st.integers(0, 99)) < 45:
            events.append(-live.pop(draw(st.integers(0, len(live) - 1))))
    if closed:
        events += [-block for block in draw(st.permutations(live))]
    return tape_of(sizes, events, 0)


@given(tapes(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_reserved_holds_active_and_active_holds_allocated(tape, expandable):
    result = replay_allocator(tape, expandable=expandable)
    assert result.peak_reserved_bytes >= result.peak_active_bytes >= result.peak_allocated_bytes >= tape.live_bytes.max()
    assert result.reserved_bytes == result.peak_reserved_bytes  # nothing goes back without a limit
    assert 0 <= result.inactive_split_bytes <= result.peak_reserved_bytes
    assert (result.retries, result.out_of_memory) == (0, False)


@given(tapes(), st.booleans())
@settings(max_examples=100, deadline=None)
def test_one_step_allocates_what_the_tape_says(tape, expandable):
    assert replay_allocator(tape, repeats=1, expandable=expandable).peak_allocated_bytes == tape.live_bytes.max()


@given(tapes(), st.booleans(), st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_more_repeats_never_reserve_less(tape, expandable, repeats):
    fewer, more = (replay_allocator(tape, repeats=n, expandable=expandable) for n in (repeats, repeats + 1))
    assert more.peak_reserved_bytes >= fewer.peak_reserved_bytes
    assert more.peak_allocated_bytes >= fewer.peak_allocated_bytes


@given(tapes(closed=True), st.booleans())
@settings(max_examples=100, deadline=None)
def test_freeing_everything_leaves_whole_segments_that_a_full_card_gets_back(tape, expandable):
    """After the tape all is free, so a request of the whole card fits once the cache is given back."""
    held = replay_allocator(tape, repeats=1, expandable=expandable)
    room = max(held.peak_reserved_bytes, 2 * MIB)
    room += -room % (20 * MIB)
    sizes = [*(block.nbytes for block in tape.blocks), room]
    result = replay(sizes, [*tape.events.tolist(), len(sizes)], capacity_bytes=room, expandable=expandable)
    assert not result.out_of_memory
    assert result.reserved_bytes == room


@given(tapes(), st.integers(1, 400), st.booleans())
@settings(max_examples=150, deadline=None)
def test_the_capacity_is_kept(tape, capacity_mib, expandable):
    result = replay_allocator(tape, capacity_bytes=capacity_mib * MIB, expandable=expandable)
    assert result.peak_reserved_bytes <= capacity_mib * MIB
    assert result.retries >= result.out_of_memory
    free = replay_allocator(tape, expandable=expandable)
    if free.peak_reserved_bytes <= capacity_mib * MIB:
        assert result == free


@dataclass
class SlowAllocator:
    """The same rules in the plainest form: a list of segments, each a list of [bytes, holder or None]."""

    capacity: float = float("inf")
    segments: list = field(default_factory=list)  # (small, address, parts)
    address: int = 0
    peak: int = 0
    peak_active: int = 0
    retries: int = 0

    def reserved(self):
        return sum(size for _, _, parts in self.segments for size, _ in parts)

    def active(self):
        return sum(size for _, _, parts in self.segments for size, holder in parts if holder is not None)

    def find(self, small, size):
        found = []
        for segment_small, start, parts in self.segments:
            for place, (part, holder) in enumerate(parts):
                if segment_small == small and holder is None and part >= size:
                    found.append((part, start + sum(before for before, _ in parts[:place]), place, parts))
        return min(found, key=lambda f: f[:2], default=None)

    def open(self, small, size):
        whole = 2 * MIB if small else 20 * MIB if size < 10 * MIB else (size + 2 * MIB - 1) // (2 * MIB) * 2 * MIB
        if self.reserved() + whole <= self.capacity:
            self.segments.append((small, self.address, [[whole, None]]))
            self.address += whole
            self.peak = max(self.peak, self.reserved())

    def take(self, size, holder):
        small = size <= MIB
        if self.find(small, size) is None:
            self.open(small, size)
        if self.find(small, size) is None:
            self.retries += 1
            self.segments = [s for s in self.segments if any(who is not None for _, who in s[2])]
            self.open(small, size)
        found = self.find(small, size)
        if found is None:
            return False
        part, _, place, parts = found
        if part - size >= 512 if small else part - size > MIB:
            parts[place:place + 1] = [[size, holder], [part - size, None]]
        else:
            parts[place][1] = holder
        self.peak_active = max(self.peak_active, self.active())
        return True

    def drop(self, holder):
        for _, _, parts in self.segments:
            for part in parts:
                if part[1] == holder:
                    part[1] = None
            joined = []
            for size, who in parts:
                if who is None and joined and joined[-1][1] is None:
                    joined[-1][0] += size
                else:
                    joined.append([size, who])
            parts[:] = joined


@given(tapes(), st.one_of(st.none(), st.integers(1, 300)))
@settings(max_examples=400, deadline=None)
def test_a_slow_allocator_written_apart_agrees(tape, capacity_mib):
    slow = SlowAllocator(float("inf") if capacity_mib is None else capacity_mib * MIB)
    failed = None
    for index, event in enumerate(tape.events.tolist()):
        size = (tape.blocks[abs(event) - 1].nbytes + 511) // 512 * 512
        if size == 0:
            continue
        if event < 0:
            slow.drop(-event)
        elif not slow.take(size, event):
            failed = index
            break
    fast = replay_allocator(tape, repeats=1, capacity_bytes=None if capacity_mib is None else capacity_mib * MIB)
    assert fast.out_of_memory_event == failed
    assert (fast.peak_reserved_bytes, fast.peak_active_bytes) == (slow.peak, slow.peak_active)
    assert (fast.reserved_bytes, fast.segments, fast.retries) == (slow.reserved(), len(slow.segments), slow.retries)


@pytest.mark.parametrize("expandable", [False, True])
def test_thirty_thousand_events_take_less_than_a_second(expandable):
    """15,000 blocks of mixed sizes, each freed 40 blocks later."""
    sizes = [(index * 7919 % 4099 + 1) * (512 if index % 3 else 9 * KIB) for index in range(15_000)]
    events = [event for index in range(15_000) for event in ((index + 1, 39 - index) if index >= 40 else (index + 1,))]
    events += range(-14_961, -15_001, -1)
    tape = tape_of(sizes, events)
    start = time.process_time()
    replay_allocator(tape, expandable=expandable)
    assert len(events) == 30_000
    assert time.process_time() - start < 1.0


# CUDA context


def test_an_observation_is_the_process_less_what_torch_reserved():
    """1.50 GiB in use, 1.00 GiB allocated, 100 MiB cached: 412 MiB, or 412 KiB for each of 1,024 threads."""
    row = ContextRow(gpu="X", sms=1, threads_per_sm=1024, process_gib=1.5, allocated_gib=1.0, unallocated_mib=100.0)
    assert row.context_bytes == 412 * MIB
    assert fit_context((row,)) == (412 * KIB, 412 * KIB, 412 * KIB, 1)


def test_many_observations_of_one_card_count_once():
    """Three of 1 KiB a thread on one card, one of 3 KiB on another: the median of the cards is 2 KiB."""
    def row(gpu, mib):
        return ContextRow(gpu=gpu, sms=1, threads_per_sm=1024, process_gib=1.5, allocated_gib=1.0, unallocated_mib=512.0 - mib)
    assert fit_context((row("A", 1.0), row("A", 1.0), row("A", 1.0), row("B", 3.0)))[0] == 2 * KIB


def test_a_card_never_seen_is_predicted_from_the_others():
    """Leave one card out, 15 times: the median card is within 10%, the worst (T4) within 50%, and a constant does worse."""
    rows = context_rows()
    seen = {row.gpu for row in rows if row.context_bytes is not None}
    errors, constant = [], []
    for name in sorted(seen):
        own = [row.context_bytes for row in rows if row.gpu == name and row.context_bytes is not None]
        others = tuple(row for row in rows if row.gpu != name)
        threads = next(row.threads for row in rows if row.gpu == name)
        errors.append(abs(np.median(own) / (fit_context(others)[0] * threads) - 1))
        constant.append(abs(np.median(own) / np.median([row.context_bytes for row in others if row.context_bytes]) - 1))
    assert len(seen) == 15
    assert np.median(errors) < 0.10
    assert max(errors) < 0.50
    assert np.median(constant) > 2 * np.median(errors)


def test_the_context_of_each_nvidia_card_is_calibrated_and_of_the_others_assumed():
    for gpu in load_gpus():
        context = cuda_context(gpu)
        assert context.basis is (Basis.ASSUMED if gpu.id.startswith("MI") else Basis.CALIBRATED), gpu.id
        low, high = context.spread()
        assert 0.05 * GIB < low < context.number() < high < 1.1 * GIB
        assert Overhead((0.0, 0.0, 0.0), (context.number(), low, high)).context_bytes[0] > 0


def test_the_context_grows_with_the_threads_that_the_card_can_hold():
    """H100: 132 x 2,048 threads, L4: 58 x 1,536: 3.03 times as many."""
    ratio = cuda_context(find_gpu("H100-80GB-SXM")).number() / cuda_context(find_gpu("L4")).number()
    assert ratio == pytest.approx(132 * 2048 / (58 * 1536))


def test_every_row_names_a_gpu_of_the_catalog_and_every_observation_its_source():
    rows = context_rows()
    known = {gpu.id for gpu in load_gpus()}
    assert {row.gpu for row in rows} <= known
    for row in rows:
        assert (row.context_bytes is None) == (row.date is None) == (not row.source)
        assert row.threads == next(other.threads for other in rows if other.gpu == row.gpu)


def test_the_slack_and_its_spread_are_those_of_the_stored_replays():
    """120 rows of the grid by the stated rule, half of them with checkpointing: median, 5th and 95th percentile of (reserved -
    allocated) / loose bytes, and how far reserved memory lies from the closed form as a share of its allocated peak."""
    replays = fit_allocator_slack.read_replays()
    assert sorted(replay.row for replay in replays) == fit_allocator_slack.chosen_rows()
    assert sum(replay.plan.checkpointing for replay in replays) == len(replays) / 2 == fit_allocator_slack.EACH
    known = training_efficiencies().allocator_slack
    low, central, high = np.quantile([replay.slack for replay in replays], [0.05, 0.5, 0.95])
    assert (known.low, known.value, known.high) == tuple(round(float(x), 2) for x in (low, central, high))
    assert known.n == len(replays)
    away = []
    for replay in replays:
        memory = training_memory(find_model(replay.model), replay.plan, slack=known.number())
        away.append((replay.reserved_bytes - float(memory.reserved_bytes)) / float(memory.peak_allocated_bytes))
    assert (-np.quantile(away, 0.05), np.quantile(away, 0.95)) == pytest.approx(SLACK_OF_PEAK, abs=0.005)


def test_one_unit_of_slack_does_as_well_as_one_for_each_kind_of_checkpointing():
    """Mean distance of allocated + slack from the replay's reserved memory: 3.7% with one logits tensor whatever the plan, and
    3.7% with half of one where nothing is recomputed; each with its own median slack."""
    replays = fit_allocator_slack.read_replays()
    held = np.array([replay.slack_bytes for replay in replays], dtype=float)
    allocated = np.array([replay.allocated_bytes for replay in replays], dtype=float)
    loose = np.array([float(training_memory(find_model(r.model), r.plan).loose_bytes) for r in replays])
    logits = np.array([0.0 if r.plan.chunked_head else 4.0 * r.plan.micro_batch * r.plan.seq * find_model(r.model).vocab
                       for r in replays])
    halved = loose - 0.5 * logits * np.array([not r.plan.checkpointing for r in replays])
    one, two = (
        np.mean(np.abs((allocated + np.median(held / unit) * unit) / (allocated + held) - 1)) for unit in (loose, halved)
    )
    assert one == pytest.approx(0.037, abs=0.0005)
    assert one < two + 0.0005
