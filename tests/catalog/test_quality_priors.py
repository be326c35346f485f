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


SAME_SIZE = {
    "qwen2-7b": (70.8, 65.0, 48.6, 82.9, 38.4), "yi-1.5-9b": (71.0, 69.6, 51.1, 80.1, 37.9),
    "glm-4-9b": (71.4, 69.6, 51.1, 85.3, 36.9), "llama-3-8b": (68.4, 65.4, 27.9, 72.9, 26.3),
    "gemma-2-9b": (70.9, 68.2, 46.9, 88.9, 33.8), "internlm2.5-7b": (72.8, 71.6, 60.1, 86.0, 38.4),
}  # fmt: skip
"""Scores of the models' chats on MMLU, BBH, MATH, GSM8K and GPQA, as the README of internlm2_5-7b-chat states them."""
PACKED = (
    (62.63, 61.52), (78.81, 78.69), (66.54, 66.55), (52.49, 52.60), (76.48, 76.01), (75.21, 75.89),
    (53.58, 53.16), (82.32, 81.73), (84.59, 84.68), (57.95, 57.87), (72.66, 72.56), (35.40, 35.60), (77.86, 78.24),
    (37.21, 36.84), (71.35, 71.03), (73.69, 73.69), (67.41, 66.61), (43.34, 43.58),
    (72.8, 67.0), (85.1, 77.4), (80.0, 77.3), (77.9, 74.4),
)  # fmt: skip
"""Scores of Llama 3 and 3.1 8B Instruct in 16 bits, and in INT8, FP8 and NVFP4 (rounded), on the tasks of three tables."""
HOSTS = (93.3, 93.3, 93.3, 93.3, 93.3, 93.3, 90.0, 86.7, 83.3, 80.0)
"""Scores of gpt-oss-120b at ten hosts on AIME 2025, without one that compresses the weights (36.7)."""


def pooled(found: np.ndarray) -> np.ndarray:
    """The 5th, 50th and 95th percentile of ratios, each of which may be either way round."""
    return np.quantile(np.concatenate([found, 1.0 / found]), [0.05, 0.5, 0.95])


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


def test_asked_for_less_in_two_ways_is_twice_that_in_the_logarithm_its_ends_by_the_root_of_two() -> None:
    once, twice = (quality_prior(kind) for kind in ("asked-for-less", "asked-for-less-twice"))
    ends = [once.ratio**2 * (end / once.ratio) ** 2**0.5 for end in (once.low, once.high)]
    assert [twice.ratio, twice.low, twice.high] == pytest.approx([once.ratio**2, *ends], rel=0.01)


@pytest.mark.parametrize(("name", "kind", "ratio"), [
    ("qwen3-8b", "open", 2.7), ("llama-3.1-8b-instant", "open", 2.7), ("openai/gpt-oss-20b", "open", 2.0),
    ("some-model-70b-turbo", "open", 1.5), ("gpt-6-luna", "vendor", 1.3), ("claude-haiku-5-5", "vendor", 1.3),
])  # fmt: skip
def test_a_models_size_is_the_catalogs_or_that_of_its_name_else_its_price_says_it(name: str, kind: str, ratio: float) -> None:
    found = prior_of_model(name, 0.04)
    assert (found.kind, found.ratio) == (kind, ratio)


def test_one_model_at_two_hosts_is_as_far_apart_as_formats_and_hosts_were() -> None:
    """Errors in fewer bits over those in 16, and of each host over the commonest 6.7%, either way round: 1.0, 0.66 to 1.51."""
    packed = np.array([(100.0 - few) / (100.0 - all_) for all_, few in PACKED])
    hosts = (100.0 - np.array(HOSTS)) / (100.0 - HOSTS[0])
    assert row(quality_prior("same-weights")) == pytest.approx(pooled(np.concatenate([packed, hosts])), abs=0.01)


def joined(of_sizes: np.ndarray, same: np.ndarray) -> np.ndarray:
    """The ratio of two sizes, its spread taken together with that of two models of one size: squared logarithms add."""
    ends = np.hypot(np.log(of_sizes[[0, 2]] / of_sizes[1]), np.log(same[[0, 2]]))
    return of_sizes[1] * np.exp([-ends[0], 0.0, ends[1]])


def test_open_models_are_told_over_an_open_incumbent_by_both_sizes() -> None:
    """The rows over an incumbent of 8, 32 and 70 billion parameters, from published errors; of one size 1.0."""
    wrong = 100.0 - np.array(list(SAME_SIZE.values()))
    same = np.quantile((wrong[:, None] / wrong[None])[~np.eye(len(wrong), dtype=bool)], [0.05, 0.5, 0.95])
    of = {(a, b): joined(ratios((a, b)), same) for a, b in (("8b", "70b"), ("70b", "8b"), ("405b", "8b"), ("405b", "70b"))}
    up, down = np.sqrt(same * of["70b", "8b"]), np.sqrt(same * of["8b", "70b"])
    expected = {
        "llama-3.1-8b": [same, up, of["70b", "8b"], of["405b", "8b"]],
        "qwen3-32b": [down, same, up, np.sqrt(of["405b", "8b"] * of["405b", "70b"])],
        "llama-3.3-70b": [of["8b", "70b"], down, same, of["405b", "70b"]],
    }
    for incumbent, rows in expected.items():
        for size, published in zip((8e9, 32e9, 70e9, 405e9), rows, strict=True):
            assert row(quality_prior("open", size, incumbent)) == pytest.approx(published, rel=0.04), (incumbent, size)


@pytest.mark.parametrize(("incumbent", "ratio"), [
    ("gpt-5.4", 2.7), ("llama-3.1-405b", 2.7), ("qwen3-8b+lora", 2.7), ("llama-v3p1-8b-instruct", 1.0),
    ("some-model-70b-turbo", 1.63),
])  # fmt: skip
def test_over_a_vendors_or_a_larger_incumbent_the_published_errors_stand(incumbent: str, ratio: float) -> None:
    assert prior_of_model("qwen3-8b", 0.04, incumbent).ratio == ratio
    assert prior_of_model("gpt-6-luna", 0.04, incumbent).ratio == 1.3
