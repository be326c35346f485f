"""Lengths as a system sees them: its own tokens, the prefix that a cache holds, how far they spread."""

import numpy as np
import pytest
from quiet_scenario import case_of, quiet

from roi.resolution.request_lengths import SystemLengths, system_lengths
from roi.resolution.training.training_runs import training_tokens
from roi.scenario.file import check_scenario


def test_the_cached_part_of_a_prompt_is_not_computed_and_counts_apart() -> None:
    """Half of the requests find 600 of 1,000 tokens, half of them 600 of 2,000: 300 on average, 700 and 1,700 are computed."""
    prompts, answers, prefix, half = (np.array(x) for x in ([1000.0, 2000.0], [10.0, 30.0], [600.0, 600.0], [0.5, 0.5]))
    shape = SystemLengths(prompts, prefix, answers, half, hit_rate=0.5).shape
    assert (shape.cached_tokens, shape.uncached_tokens, shape.output_tokens) == (300.0, 1200.0, 20.0)
    assert (shape.prompt_cv, shape.output_cv) == (pytest.approx(500 / 1200), pytest.approx(0.5))


def test_another_tokenizer_counts_answers_otherwise_too_and_a_tuned_prompt_loses_instructions() -> None:
    """1,000 and 100 tokens, 400 of them shared: 1.2 times as many; after tuning 100 of the 400 stay, answers are half as long
    and 7 tokens of thought come on top: (1,000 - 400 + 100) x 1.2 = 840, of which 120 are shared; 100 x 1.2 x 0.5 + 7 = 67.
    """
    own = {"ratio": 1.2, "output_ratio": 0.5, "reasoning_tokens": 7.0, "prompt_tokens_after_tuning": 100.0}
    case = case_of(workload={"shared_prefix_tokens": 400.0}, tokens={"qwen3-8b+lora": own})
    found = system_lengths(case.facts, "qwen3-8b+lora")
    rows = found.prompt_tokens, found.prefix_tokens, found.output_tokens
    assert [float(row[0]) for row in rows] == pytest.approx([840.0, 120.0, 67.0])


def test_a_run_trains_on_its_examples_in_every_epoch() -> None:
    """100 examples of 1,000 + 100 tokens, three times."""
    assert training_tokens(check_scenario(quiet({"training": {"examples": 100, "epochs": 3}}))) == 330_000.0
