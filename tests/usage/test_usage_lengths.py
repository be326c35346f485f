"""Lengths and the shared prefix from log-bins."""

from dataclasses import replace

import pytest
from usage_support import bin_of_count, usage_answer

from roi.catalog.models.shapes import load_models
from roi.usage.measure.aggregate import CONTEXTS, LengthCell, ReadCell
from roi.usage.measure.lengths import (
    MOST_BINS,
    LengthBin,
    Prefix,
    lengths_of,
    measure_lengths,
    prefix_of_buckets,
    prefix_of_calls,
    within_prompts,
)


def cell(given, out, calls=1, **more):
    return LengthCell(bin_of_count(given), bin_of_count(out), calls, given * calls, out * calls, **more)


def test_means_are_exact_and_percentiles_are_the_mean_of_their_bin():
    """90 calls of 100 and 10 of 1,000 input tokens: mean 190, median 100, 95th percentile 1,000."""
    found = measure_lengths([cell(100, 10, 90), cell(1000, 40, 10)])
    assert found is not None
    assert (found.input_mean, found.output_mean) == (190.0, 13.0)
    assert found.input_percentiles == (100.0, 1000.0, 1000.0)
    assert [b.share for b in found.bins] == [0.9, 0.1]


def test_many_cells_become_few_with_the_same_mean():
    cells = [cell(g, o) for g in range(10, 4000, 37) for o in (0, 3, 30, 300)]
    found = measure_lengths(cells)
    assert found is not None
    assert 1 < len(found.bins) <= MOST_BINS
    assert sum(b.share for b in found.bins) == pytest.approx(1.0)
    assert sum(b.share * b.input_tokens for b in found.bins) == pytest.approx(found.input_mean)
    assert sum(b.share * b.output_tokens for b in found.bins) == pytest.approx(found.output_mean)


def test_no_cell_holds_calls_of_both_sides_of_an_edge_of_the_price():
    """Of 41 lengths 12 have more than 200,000 tokens (10,000 x 1.11^k, k from 29 on), 29.3%, whatever is joined."""
    cells = [cell(round(10_000 * 1.11**k), round(10 * 1.2**m)) for k in range(41) for m in range(40)]
    tiers = [replace(each, size_class=int(each.input_tokens > 200_000)) for each in cells]
    joined, apart = measure_lengths(cells), measure_lengths(tiers)
    assert joined is not None
    assert apart is not None
    assert sum(b.share for b in apart.bins if b.input_tokens > 200_000) == pytest.approx(12 / 41)
    assert sum(b.share for b in joined.bins if b.input_tokens > 200_000) != pytest.approx(12 / 41)
    assert len(joined.bins) <= MOST_BINS
    assert len(apart.bins) <= 2 * MOST_BINS


def test_the_share_of_calls_beyond_a_usual_context_is_counted_answers_included(tmp_path):
    """Of 2,000 calls about 40,960 tokens: the cells of their logs are 9% wide at the least, and joined are wider."""
    calls = [(20_000 + 37 * k % 50_000, 20 + 61 * k % 3_000) for k in range(1000)]
    calls += [(120_000 + 137 * k % 100_000, 20 + 61 * k % 3_000) for k in range(1000)]
    rows = "".join(f"2026-11-02T{k % 24:02d}:{k % 60:02d}:00Z,gpt-6-sol,openai,{i},{o}\n" for k, (i, o) in enumerate(calls))
    log = tmp_path / "log.csv"
    log.write_text(f"time,model,provider,input_tokens,output_tokens\n{rows}", encoding="utf-8")
    bins = usage_answer(log)["workload"]["lengths"]["histogram"]
    for context in (32_768, 40_960, 65_536, 128_000, 131_072, 163_840, 196_608, 202_752):
        beyond = sum(each["share"] for each in bins if each["input_tokens"] + each["output_tokens"] > context)
        assert beyond == pytest.approx(sum(i + o > context for i, o in calls) / 2000)


def test_the_contexts_of_all_models_that_take_long_calls_are_counted():
    """All but Llama 4 Scout's, of ten million tokens."""
    found = {each for model in load_models() for each in (model.context_tokens, *(of for _, of in model.release_contexts))}
    assert {each for each in found if 8192 <= each < 10_485_760} == set(CONTEXTS)


def test_cells_say_what_their_calls_read_and_write_unless_it_is_more_than_they_hold():
    """Of 10 calls of 1,000 tokens 4 read 500, of 10 of 9,000 all read 8,000 and write 500; three times as much is more."""
    found = measure_lengths([cell(1000, 1, 10, cache_read=2000), cell(9000, 1, 10, cache_read=80_000, cache_write=5000)])
    assert found is not None
    prefix = Prefix(4000.0, 500.0, 8000.0, 0.7, "calls")
    with_writes = lengths_of(found.bins, prefix, writes=True)
    assert [(each["cached_tokens"], each["cache_write_tokens"]) for each in with_writes] == [(200.0, 0.0), (8000.0, 500.0)]
    assert [each.get("cache_write_tokens") for each in lengths_of(found.bins, prefix, writes=False)] == [None, None]
    for less in (lengths_of(found.bins, prefix, 3.0, writes=False), lengths_of(found.bins, None, writes=False)):
        assert not any("cached_tokens" in each for each in less)


def test_nothing_has_no_length():
    assert measure_lengths([]) is None


def test_prefix_times_hit_rate_is_what_was_read():
    """80 of 100 calls read 1,200 tokens: 0.8 x 1,200 = 960 a call."""
    found = prefix_of_calls([cell(2000, 10, 100)], [ReadCell(bin_of_count(1200), 80, 96_000)])
    assert found is not None
    assert (found.tokens, found.low, found.high, found.hit_rate) == (1200.0, 1200.0, 1200.0, 0.8)
    assert "differ widely" not in found.how


def test_where_writes_are_counted_both_what_was_read_and_what_was_written_are_as_recorded():
    """95 of 100 calls read 30,000 tokens, and each writes its last turn, 3,000: 28,500 of 31,500 a call are found.

    By the calls that read none alone, 5% x 30,000 = 1,500 were written: half of it, and track saw a price that had moved.
    """
    found = prefix_of_calls([cell(34_000, 10, 100)], [ReadCell(bin_of_count(30_000), 95, 95 * 30_000)], 100 * 3_000)
    assert found is not None
    assert (found.tokens, found.tokens * found.hit_rate) == (31_500.0, pytest.approx(28_500.0))
    assert found.tokens * (1.0 - found.hit_rate) == pytest.approx(3_000.0)


def test_reads_of_many_lengths_are_said_to_be_history():
    reads = [ReadCell(bin_of_count(n), 10, 10 * n) for n in (1100, 4000, 16_000)]
    found = prefix_of_calls([cell(20_000, 10, 30)], reads)
    assert found is not None
    assert (found.low, found.high) == (1100.0, 16_000.0)
    assert "differ widely" in found.how


def test_buckets_tell_the_product_and_writes_the_hit_rate():
    """Read 900 and written 100 a request: prefix 1,000, found nine times in ten. Without writes only 900 is known."""
    with_writes = prefix_of_buckets(10, 9000, 1000)
    assert with_writes is not None
    assert (with_writes.tokens, with_writes.hit_rate) == (1000.0, 0.9)
    without = prefix_of_buckets(10, 9000, 0)
    assert without is not None
    assert (without.tokens, without.hit_rate) == (900.0, 1.0)


def test_a_mean_below_the_shortest_cached_prefix_is_a_longer_one_found_less_often():
    """960 a request where nothing below 1,024 is cached: 1,024 found in 93.75%."""
    found = prefix_of_buckets(10, 9600, 0, 1024.0)
    assert found is not None
    assert (found.tokens, found.hit_rate) == (1024.0, 0.9375)


def test_nothing_cached_no_prefix():
    assert prefix_of_calls([cell(10, 1)], []) is None
    assert prefix_of_buckets(10, 0, 0) is None
    assert prefix_of_buckets(None, 500, 0) is None


def test_what_is_written_to_a_cache_and_never_read_is_a_prefix_that_nobody_finds():
    for found in (prefix_of_calls([cell(1000, 10, 10)], [], written=500), prefix_of_buckets(10, 0, 500)):
        assert found is not None
        assert (found.tokens, found.hit_rate) == (50.0, 0.0)


def test_a_prefix_longer_than_some_prompts_is_as_long_as_gives_what_was_read():
    """Half of the prompts have 1,000 tokens, half 9,000. To read 4,000 on average the long ones read 7,000; to read 4,500 where
    every second finds 9,000, nine of ten do."""
    bins = (LengthBin(1000.0, 10.0, 0.5), LengthBin(9000.0, 10.0, 0.5))
    found = within_prompts(Prefix(4000.0, 1000.0, 7000.0, 1.0, "calls"), bins)
    assert (found.tokens, found.hit_rate) == pytest.approx((7000.0, 1.0), rel=1e-5)
    found = within_prompts(Prefix(9000.0, 9000.0, 9000.0, 0.5, "calls"), bins)
    assert (found.tokens, found.hit_rate) == pytest.approx((9000.0, 0.9))
    short = Prefix(800.0, 700.0, 900.0, 0.5, "calls")
    assert within_prompts(short, bins) is short


def test_requests_with_a_prefix_stand_beside_others_where_the_mean_prompt_is_shorter_than_what_is_cached():
    """1,800 read and 200 written of a mean 3,000 where nothing below 4,000 is cached: half of the requests hold 4,000 and find
    it nine times in ten, in prompts of 4,000; the others have the rest, 2,000."""
    found = prefix_of_buckets(10, 18_000, 2_000, 4000.0, 3000.0)
    assert found is not None
    assert (found.tokens, found.low, found.high, found.hit_rate) == (4000.0, 4000.0, 4000.0, 0.9)
    assert found.prompts == ((4000.0, 0.5), (2000.0, 0.5))
    assert "of the 50% of requests that hold one" in found.how


def test_writes_are_as_recorded_where_the_mean_prompt_is_longer_than_the_minimum():
    """As above of a mean 5,000: the others stay below 4,000, so that they are not cached; these have the rest, 6,001."""
    found = prefix_of_buckets(10, 18_000, 2_000, 4000.0, 5000.0)
    assert found is not None
    assert found.prompts == ((6001.0, 0.5), (3999.0, 0.5))
    far = prefix_of_buckets(10, 1_800, 200, 4000.0, 5000.0)  # one in twenty: they would have 24,019 tokens
    assert far is not None
    assert (far.tokens, far.hit_rate, far.prompts) == (4000.0, 0.045, ())


def test_calls_that_read_less_than_the_provider_caches_read_as_much_of_a_longer_prefix():
    """Half of the prompts have 500 tokens, half 2,000; 400 are read on average where nothing below 1,000 is cached: the long
    ones find 1,000 in four of five. Where no prompt is as long as that, the rule does not hold."""
    bins = (LengthBin(500.0, 10.0, 0.5), LengthBin(2000.0, 10.0, 0.5))
    found = within_prompts(Prefix(400.0, 200.0, 600.0, 1.0, "calls"), bins, 1000.0)
    assert (found.tokens, found.low, found.high) == (1000.0, 1000.0, 1000.0)
    assert found.hit_rate == pytest.approx(0.8)
    more = within_prompts(Prefix(800.0, 200.0, 900.0, 1.0, "calls"), bins, 1000.0)
    assert (more.tokens, more.hit_rate) == pytest.approx((1600.0, 1.0), rel=1e-4)
    short = Prefix(400.0, 200.0, 450.0, 1.0, "calls")
    assert within_prompts(short, bins[:1], 1000.0) is short


def test_no_draw_of_a_prefix_lies_below_what_the_provider_caches():
    """All read 1,500 of 2,000 on average, some as little as 800."""
    found = within_prompts(Prefix(1500.0, 800.0, 1800.0, 1.0, "calls"), (LengthBin(2000.0, 10.0, 1.0),), 1000.0)
    assert (found.tokens, found.low, found.high, found.hit_rate) == (1500.0, 1000.0, 1800.0, 1.0)
