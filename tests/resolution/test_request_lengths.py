"""Lengths as a system sees them: its own tokens, the prefix that a cache holds, how far they spread."""

import numpy as np
import pytest
from quiet_scenario import QUIET, World, case_of, quiet

from roi.resolution.request_lengths import SystemLengths, system_lengths
from roi.resolution.resolution import resolve
from roi.resolution.training.training_runs import training_tokens
from roi.scenario.file import check_scenario


def test_the_cached_part_of_a_prompt_is_not_computed_and_counts_apart() -> None:
    """Half of the requests find 600 of 1,000 tokens, half of them 600 of 2,000: 300 on average, 700 and 1,700 are computed."""
    prompts, answers, prefix, half = (np.array(x) for x in ([1000.0, 2000.0], [10.0, 30.0], [600.0, 600.0], [0.5, 0.5]))
    shape = SystemLengths(prompts, prefix, answers, half, hit_rate=0.5).shape
    assert (shape.cached_tokens, shape.uncached_tokens, shape.output_tokens) == (300.0, 1200.0, 20.0)
    assert (shape.prompt_cv, shape.output_cv) == (pytest.approx(500 / 1200), pytest.approx(0.5))


def test_a_conversation_holds_its_history_for_itself_and_a_common_prefix_is_held_once() -> None:
    """All of 1,000 tokens is shared, half is found: a conversation, 500 of whose tokens are its own. Of 999, one for all."""
    rows = np.array([10.0]), np.array([1.0])
    alone, common = (SystemLengths(np.array([1000.0]), np.array([prefix]), *rows, hit_rate=0.5) for prefix in (1000.0, 999.0))
    assert (alone.shape.alone_tokens, alone.shape.shared_tokens, alone.shape.own_tokens) == (500.0, 0.0, 1005.0)
    assert (common.shape.alone_tokens, common.shape.shared_tokens, common.shape.own_tokens) == (0.0, 499.5, 505.5)
    assert (alone.drawn(10).common_tokens, common.drawn(10).common_tokens) == (0.0, np.inf)
    none = SystemLengths(np.array([1000.0]), np.array([0.0]), *rows, hit_rate=0.5)
    assert not none.conversations


def test_servers_of_ones_own_find_the_prefix_as_often_as_is_said_of_them_else_as_an_api_does() -> None:
    """400 tokens are shared, an API's cache finds a quarter of them; the API's bill does not move with the servers'."""
    shared = {"shared_prefix_tokens": 400.0, "cache_hit_rate": 0.25}
    for stated, cached in (({}, 100.0), ({"prefix_hit_rate": 0.0}, 0.0), ({"prefix_hit_rate": 1.0}, 400.0)):
        case = case_of(workload=shared, serving=stated)
        assert system_lengths(case.facts, "qwen3-8b").shape.cached_tokens == cached
        assert case["workload.cache_hit_rate"].value == 0.25


@pytest.mark.full
def test_servers_find_what_bins_say_of_which_more_than_nearly_all_find_is_history() -> None:
    """Prompts of 1,000 find 300 and miss 100, of 3,500 they find 2,400 and miss 600: 1,350 on average. All have 400, so that
    3,000 - 400 are the history of one conversation, found in 80%: half of 2,080 a request. Twice as often: all, 1,700."""
    bins = [{"input_tokens": 1000.0, "output_tokens": 10.0, "share": 0.5, "cached_tokens": 300.0, "cache_write_tokens": 100.0},
            {"input_tokens": 3500.0, "output_tokens": 10.0, "share": 0.5, "cached_tokens": 2400.0, "cache_write_tokens": 600.0}]
    workload = {"lengths": bins, "input_tokens": None, "output_tokens": None, "shared_prefix_tokens": 500.0,
                "cache_hit_rate": 0.5}
    found = system_lengths(case_of(workload=workload).facts, "qwen3-8b")
    assert found.shape.cached_tokens == pytest.approx(1350.0)
    assert found.shape.alone_tokens == pytest.approx(1040.0)
    drawn = found.drawn(4000)
    assert float(drawn.cached_tokens.mean()) == pytest.approx(1350.0, rel=0.01)
    assert drawn.common_tokens == 400.0
    assert found.within(2000.0).shape.cached_tokens == pytest.approx(300.0)
    often = system_lengths(case_of(workload=workload, serving={"prefix_hit_rate": 1.0}).facts, "qwen3-8b")
    assert often.shape.cached_tokens == pytest.approx(1700.0)
    none = {**workload, "lengths": [{**each, "cached_tokens": 0.0, "cache_write_tokens": 0.0} for each in bins]}
    assert system_lengths(case_of(workload=none).facts, "qwen3-8b").shape.cached_tokens == 0.0


def test_what_misses_is_as_the_hit_rate_says_where_a_bin_counts_no_write() -> None:
    """300 read at a hit rate of 0.75: 100 miss, which no API of the log counted; 900 read of 1,000 leave 100 for it, not 300.
    A bin without both has the shared prefix."""
    bins = [{"input_tokens": 1000.0, "output_tokens": 1.0, "share": 0.25} | more for more in (
        {"cached_tokens": 300.0}, {"cached_tokens": 900.0}, {"cached_tokens": 0.0, "cache_write_tokens": 7.0}, {})]
    case = case_of(workload={"lengths": bins, "input_tokens": None, "output_tokens": None, "shared_prefix_tokens": 400.0,
                             "cache_hit_rate": 0.75})
    assert case["workload.cached_tokens"].value == (300.0, 900.0, 0.0, 0.0)
    assert case["workload.cache_write_tokens"].value == (pytest.approx(100.0), 100.0, 7.0, 0.0)
    assert case["workload.cached_stated"].value == (1.0, 1.0, 1.0, 0.0)
    assert system_lengths(case.facts, "qwen3-8b").shape.cached_tokens == pytest.approx((300 + 900 + 0 + 300) / 4)


def test_a_bill_of_requests_that_found_nothing_in_a_cache_has_no_cell_that_did() -> None:
    """2,628,000 requests of 2,000 tokens at $2.50 a million and 10 at $15 were $13,534.20 a month before the cache was on."""
    cell = {"input_tokens": 2000.0, "output_tokens": 10.0, "share": 1.0, "cached_tokens": 1800.0}
    case = case_of(workload={"lengths": [cell], "input_tokens": None, "output_tokens": None, "cache_hit_rate": 0.9}, incumbent={
        "uses_cache": True, "bill_usd_per_month": 13_534.2, "bill_of": {"cache_hit_rate": 0.0}})
    assert case["reconciliation.factor"].value == pytest.approx(1.0)


def test_a_hit_rate_of_own_servers_that_moves_nothing_or_would_move_much_is_told() -> None:
    for workload, serving, told in (
        ({}, {"prefix_hit_rate": 0.9}, "serving.prefix_hit_rate moves nothing: workload.shared_prefix_tokens: 0"),
        ({"shared_prefix_tokens": 400.0}, {}, "own servers are taken to compute the shared prefix of 400 tokens anew"),
        ({"shared_prefix_tokens": 400.0}, {"prefix_hit_rate": 0.0}, ""),
        ({"shared_prefix_tokens": 400.0, "cache_hit_rate": 0.5}, {}, ""),
    ):
        found = resolve(check_scenario(quiet({"workload": workload, "serving": serving}))).warnings
        of_it = [each for each in found if "own servers" in each or "prefix_hit_rate" in each]
        assert len(of_it) == bool(told)
        assert all(told in each for each in of_it)


def test_another_tokenizer_counts_answers_otherwise_too_and_a_tuned_prompt_loses_instructions() -> None:
    """1,000 and 100 tokens, 400 of them shared: 1.2 times as many; after tuning 100 of the 400 stay, answers are half as long
    and 7 tokens of thought come on top: (1,000 - 400 + 100) x 1.2 = 840, of which 120 are shared; 100 x 1.2 x 0.5 + 7 = 67.
    """
    own = {"ratio": 1.2, "output_ratio": 0.5, "reasoning_tokens": 7.0, "prompt_tokens_after_tuning": 100.0}
    case = case_of(workload={"shared_prefix_tokens": 400.0}, tokens={"qwen3-8b+lora": own})
    found = system_lengths(case.facts, "qwen3-8b+lora")
    rows = found.prompt_tokens, found.prefix_tokens, found.output_tokens
    assert [float(row[0]) for row in rows] == pytest.approx([840.0, 120.0, 67.0])


def test_shares_written_in_six_digits_cost_what_the_whole_does() -> None:
    """Three times 0.333333 of one length is all requests: 100 tokens of 2,628,000 a month at $15/M."""
    bins = [{"input_tokens": 1000.0, "output_tokens": 100.0, "share": 0.333333}] * 3
    data = {**QUIET, "workload": {"requests_per_day": 86_400.0, "growth_per_year": 0.0, "lengths": bins}}
    assert World(resolve(check_scenario(data)).case).line("stay", "API output")[1][0] == pytest.approx(3942.0, abs=1e-6)


def test_a_run_trains_on_its_examples_in_every_epoch() -> None:
    """100 examples of 1,000 + 100 tokens, three times."""
    assert training_tokens(check_scenario(quiet({"training": {"examples": 100, "epochs": 3}}))) == 330_000.0
