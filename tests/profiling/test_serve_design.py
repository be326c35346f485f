"""What is planned before a load: points, lengths, arrivals, prompts; nothing is sent."""

import random
import statistics
import sys
from itertools import pairwise

import pytest

from roi.errors import InputError, MissingExtra
from roi.profiling.server.load import Allowance
from roi.profiling.server.load_design import (
    MARGIN,
    PROMPT_RATE,
    STEP_S,
    ServePlan,
    closed_points,
    open_rate,
    planned_seconds,
    poisson_point,
    spread_lengths,
    trace_point,
)
from roi.profiling.server.probe import WORDS, Prompt, Prompts, token_counter


def chance():
    return random.Random(1)  # noqa: S311 -- lengths, not secrets


def test_concurrency_meets_every_prompt_length_and_output_lengths_rotate():
    """3 x 2 points; the short output goes with the short prompt at 1 and 32, with the long one at 8."""
    points = closed_points((1, 8, 32), (128, 1024), (64, 192), None, 0)
    assert [(p.concurrency, p.input_tokens, p.output_tokens) for p in points] == [
        (1, 128, 64), (1, 1024, 192), (8, 128, 192), (8, 1024, 64), (32, 128, 64), (32, 1024, 192),
    ]  # fmt: skip
    assert [len(p.requests) for p in points] == [6, 6, 32, 32, 128, 128]


def test_spread_lengths_keep_their_sum_and_stay_within_a_quarter():
    """100 x 9 = 900 tokens, each of 75 to 125."""
    lengths = spread_lengths(100, 9, chance())
    assert sum(lengths) == 900
    assert 75 <= min(lengths) < max(lengths) <= 125
    assert spread_lengths(1, 3, chance()) == [1, 1, 1]


def test_a_plan_adds_up():
    """Two loads of 10 x (100 in, 20 out): 20 requests, 2,000 and 400 tokens; a tenth more prompt tokens at most."""
    plan = ServePlan(closed_points((1, 2), (100,), (20,), 10, 0))
    assert (plan.requests, plan.prompt_tokens, plan.output_tokens) == (20, 2000, 400)
    assert MARGIN == 1.1
    assert plan.most_prompt_tokens == 2200


def test_the_guessed_time_is_steps_and_prompts():
    """10 lone requests of 80 in, 5 out: 50 steps of 20 ms and 800 tokens at 8,000/s: 1 s + 0.1 s."""
    assert (STEP_S, PROMPT_RATE) == (0.02, 8000.0)
    assert planned_seconds(ServePlan(closed_points((1,), (80,), (5,), 10, 0))) == pytest.approx(1.1)


def test_poisson_arrivals_have_exactly_their_rate_and_lengths_between_the_design():
    """Lengths sqrt(100 x 400) = 200 and sqrt(16 x 64) = 32; 101 arrivals at 10/s span 10 s, with an exponential's scatter."""
    point = poisson_point((100, 400), (16, 64), 101, 10.0, 3)
    times = [r.at_s for r in point.requests]
    assert (point.input_tokens, point.output_tokens) == (200, 32)
    assert (times[0], times[-1]) == (0.0, pytest.approx(10.0))
    gaps = [b - a for a, b in pairwise(times)]
    assert 0.7 < statistics.stdev(gaps) / statistics.mean(gaps) < 1.3
    assert times == [r.at_s for r in poisson_point((100, 400), (16, 64), 101, 10.0, 3).requests]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_few_arrivals_are_arrivals_too(n):
    assert len(poisson_point((10,), (10,), n, 2.0, 0).requests) == n


def test_a_rate_that_is_told_later_divides_the_gaps():
    """The last of 11 arrivals is at 10 s for 1/s, at 2 s for 5/s."""
    later = poisson_point((10,), (10,), 11, None, 0)
    assert later.rate is None
    assert later.at_rate(5.0).requests[-1].at_s == pytest.approx(2.0)
    assert later.at_rate(5.0).rate == 5.0


def test_the_open_loop_offers_60_percent_of_the_geometric_mean():
    """sqrt(2 x 8) = 4; 60% is 2.4/s."""
    assert open_rate([2.0, 8.0]) == pytest.approx(2.4)


def test_a_trace_keeps_its_times_and_lengths_or_is_sped_up():
    """3 arrivals over 4 s are 0.5/s; at 1/s they span 2 s. Lengths of 0 become 1: no server takes less."""
    own = trace_point([5.0, 6.0, 9.0], [10, 0, 30], [1, 2, 0], None, None)
    assert [(r.at_s, r.input_tokens, r.output_tokens) for r in own.requests] == [(0.0, 10, 1), (1.0, 1, 2), (4.0, 30, 1)]
    assert own.rate == pytest.approx(0.5)
    fast = trace_point([5.0, 6.0, 9.0], [10, 0, 30], [1, 2, 0], None, 1.0)
    assert [r.at_s for r in fast.requests] == pytest.approx([0.0, 0.5, 2.0])
    assert len(trace_point([5.0, 6.0, 9.0], [10, 0, 30], [1, 2, 0], 2, None).requests) == 2
    with pytest.raises(InputError, match="--rate"):
        trace_point([5.0, 5.0], [1, 1], [1, 1], None, 1.0)


def test_prompts_are_as_long_as_calibrated_and_never_the_same():
    """8 words are 21 tokens, 256 are 517: 2 a word and 5 on top; 105 tokens are 50 words."""
    prompts = Prompts(0)
    prompts.calibrate(Prompt(prompts.words(8), 21), Prompt(prompts.words(256), 517))
    assert (prompts.per_word, prompts.fixed, prompts.least) == (2.0, 5.0, 7)
    made = [prompts.make(105) for _ in range(50)]
    assert {len(prompt.text.split()) for prompt in made} == {50}
    assert {prompt.tokens for prompt in made} == {105}
    assert len({prompt.text.split(" ")[0:8].__str__() for prompt in made}) == 50
    assert prompts.make(1).tokens == 7


def test_a_tokenizer_makes_prompts_exact():
    """A word of more than four letters is two tokens: 40 tokens are found by correction."""
    prompts = Prompts(0, lambda text: sum(1 + (len(word) > 4) for word in text.split()))
    assert {prompts.make(40).tokens for _ in range(20)} <= {39, 40, 41}
    prompts.calibrate(Prompt("a b", 5), Prompt("a b c d", 7))
    assert prompts.fixed == 3.0
    assert abs(prompts.make(40).tokens - 40) <= 1


def test_the_words_are_distinct():
    assert len(set(WORDS)) == len(WORDS) > 200


def test_an_allowance_is_never_overdrawn():
    """2 requests, 100 prompt and 10 output tokens: a prompt that was longer than held takes from the rest."""
    left = Allowance(2, 100, 10)
    assert left.take(50, 5)
    left.correct(50, 60)
    assert not left.take(50, 5)
    assert left.take(40, 5)
    assert not left.take(0, 0)


def test_a_tokenizer_file_counts_and_its_absence_is_told(tmp_path, monkeypatch):
    """A vocabulary of whole words: three words are three tokens."""
    tokenizers = pytest.importorskip("tokenizers", reason="the extra `serve` is not installed")
    model = tokenizers.models.WordLevel({"one": 0, "two": 1, "[UNK]": 2}, unk_token="[UNK]")  # noqa: S106 -- no password
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert token_counter(tmp_path)("one two three") == 3
    (tmp_path / "bad.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"--tokenizer: .*bad.json is no tokenizer.json"):
        token_counter(tmp_path / "bad.json")
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtra, match=r"this needs tokenizers: pip install 'lora-roi\[serve\]'"):
        token_counter(tmp_path)
