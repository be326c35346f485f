"""What to expect of a system that nobody evaluated: the rows against the published scores that they come from."""

import numpy as np
import pytest

from roi.catalog.models.quality_priors import QualityPrior, prior_of_model, quality_prior

WRONG = {
    "gpt-4o": (88.7, 53.1, 75.9, 90.2, 90.0, 79.8), "gpt-4o-mini": (82.0, 40.2, 70.2, 87.2, 87.0, 79.7),
    "sonnet-3.5": (88.3, 59.4, 71.1, 92.0, 91.6, 87.1), "8b": (68.4, 30.4, 51.9, 72.6, 68.9, 59.5),
    "70b": (82.0, 41.7, 68.0, 80.5, 86.9, 79.6), "405b": (88.6, 50.7, 73.8, 89.0, 91.6, 84.8),
    "gpt-4.1": (90.2, 66.3, 82.1, 94.5, 86.9, 79.4), "4.1-mini": (87.5, 65.0, 81.4, 93.8, 88.2, 81.0),
    "4.1-nano": (80.1, 50.3, 62.3, 87.0, 73.0, 82.2), "flash": (77.9, np.nan, 40.9, 71.5, 75.5, 78.4),
    "pro": (81.9, np.nan, 58.5, 71.9, 88.7, 78.9), "o1": (91.8, 75.7, 96.4, np.nan, 89.3, 90.2),
    "o1-mini": (85.2, 60.0, 90.0, 92.4, 89.9, 83.9), "o3": (92.9, 82.8, 97.8, 87.4, 92.3, 80.6),
    "o4-mini": (90.0, 77.6, 97.5, 97.3, 93.7, 77.7), "o3-mini": (85.9, 74.9, 97.3, 96.3, 90.8, 79.2),
    "o3-high": (93.3, 83.4, 98.1, 88.4, 92.0, 89.8), "o3-low": (92.8, 78.6, 96.9, 87.3, 91.9, 82.3),
    "o4-mini-high": (90.3, 81.3, 98.2, 99.3, 93.5, 78.1), "o4-mini-low": (89.5, 73.6, 96.2, 95.9, 93.0, 76.0),
    "o3-mini-high": (86.9, 77.2, 97.9, 97.6, 92.0, 80.6), "o3-mini-low": (84.9, 67.6, 95.8, 94.5, 89.4, 77.6),
}  # fmt: skip
"""Scores in percent on MMLU, GPQA, MATH, HumanEval, MGSM and DROP, as the README of simple-evals states them."""


def ratios(*pairs: tuple[str, str]) -> np.ndarray:
    """Errors of the first over those of the second of each pair, on each task that has both."""
    found = np.concatenate([(100.0 - np.array(WRONG[a])) / (100.0 - np.array(WRONG[b])) for a, b in pairs])
    return np.quantile(found[~np.isnan(found)], [0.05, 0.5, 0.95])


def row(prior: QualityPrior) -> list[float]:
    return [prior.low, prior.ratio, prior.high]


@pytest.mark.parametrize(("size", "model"), [(8e9, "8b"), (70e9, "70b"), (405e9, "405b")])
def test_open_models_are_at_the_published_errors_of_their_size_over_the_incumbents(size: float, model: str) -> None:
    """8B against gpt-4o and Claude 3.5 Sonnet: 2.7 in the middle, 3.5 at the 95th percentile; 1.4 at the 5th of all three."""
    large, every = ratios((model, "gpt-4o"), (model, "sonnet-3.5")), ratios(*((model, x) for x in ("gpt-4o", "sonnet-3.5",
                                                                                                  "gpt-4o-mini")))
    assert row(quality_prior("open", size)) == pytest.approx([every[0], large[1], large[2]], abs=0.06)


def test_between_two_sizes_it_is_half_way_in_the_log() -> None:
    small, middle, large = (row(quality_prior("open", size)) for size in (8e9, 32e9, 70e9))
    assert middle == pytest.approx(np.sqrt(np.multiply(small, large)), abs=0.05)


@pytest.mark.parametrize(("price", "pairs"), [
    (0.05, [("gpt-4o-mini", "gpt-4o"), ("4.1-nano", "gpt-4.1"), ("flash", "pro"), ("o4-mini", "o3"), ("o3-mini", "o3")]),
    (0.2, [("4.1-mini", "gpt-4.1"), ("o1-mini", "o1")]),
    (1.0, [("gpt-4o", "sonnet-3.5"), ("sonnet-3.5", "gpt-4o")]),
])  # fmt: skip
def test_vendors_models_are_at_the_published_errors_of_their_price_class(price: float, pairs: list[tuple[str, str]]) -> None:
    assert row(quality_prior("vendor", price)) == pytest.approx(ratios(*pairs), abs=0.05)


def test_the_same_model_asked_for_less_is_as_published_at_low_effort() -> None:
    pairs = [(f"{name}-low", f"{name}-high") for name in ("o3", "o4-mini", "o3-mini")]
    assert row(quality_prior("asked-for-less")) == pytest.approx(ratios(*pairs), abs=0.07)


@pytest.mark.parametrize(("name", "kind", "ratio"), [
    ("qwen3-8b", "open", 2.7), ("llama-3.1-8b-instant", "open", 2.7), ("openai/gpt-oss-20b", "open", 2.0),
    ("some-model-70b-turbo", "open", 1.5), ("gpt-6-luna", "vendor", 1.3), ("claude-haiku-5-5", "vendor", 1.3),
])  # fmt: skip
def test_a_models_size_is_the_catalogs_or_that_of_its_name_else_its_price_says_it(name: str, kind: str, ratio: float) -> None:
    found = prior_of_model(name, 0.04)
    assert (found.kind, found.ratio) == (kind, ratio)
