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
