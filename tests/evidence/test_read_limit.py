"""What kernels of one sequence read at most: on cards other than the one that showed it, and how far that may be off."""

from math import exp, hypot, inf, log

import pytest
from tables_support import serving_run_of

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.serving_efficiencies import find_engine
from roi.evidence.serving_speed import on_card, reading_spread, serving_evidence

LLAMA_CPP = find_engine("llama.cpp")
LIMIT = 1.045e12


@pytest.mark.parametrize(("card", "multiprocessors", "hertz"), [
    ("A100-80GB-SXM", 108, 1.41e9), ("A30", 56, 1.44e9), ("V100-32GB-SXM", 80, 1.53e9), ("T4", 40, 1.582e9),
    ("RTX-3090", 82, 1.695e9), ("RTX-A6000", 84, 1.8e9), ("RTX-4090", 128, 2.52e9), ("L4", 58, 2.04e9),
    ("H100-80GB-SXM", 132, 1.98e9), ("RTX-5090", 170, 2.407e9), ("MI100-32GB", 120, 1.502e9), ("MI300X-192GB", 304, 2.1e9),
])
def test_cycles_are_multiprocessors_times_clock_of_the_datasheet(card, multiprocessors, hertz):
    assert find_gpu(card).multiprocessor_cycles_per_s == pytest.approx(multiprocessors * hertz, rel=0.005)


@pytest.mark.parametrize(("card", "bytes_per_s"), [
    ("A100-40GB-SXM", LIMIT),  # the same chip
    ("H100-80GB-SXM", LIMIT * 132 * 1.98 / (108 * 1.41)),  # 1.79e12 of 3.35e12
    ("A30", LIMIT * 56 * 1.44 / (108 * 1.41)),
])
def test_the_limit_goes_with_multiprocessors_and_clock(card, bytes_per_s):
    assert float(on_card(LLAMA_CPP, find_gpu(card)).read_limit_bytes_per_s) == pytest.approx(bytes_per_s, rel=0.005)


def test_engines_whose_kernels_reach_memorys_bandwidth_have_no_limit():
    assert float(on_card(find_engine("vllm"), find_gpu("H100")).read_limit_bytes_per_s) == inf


@pytest.mark.parametrize(("card", "factor"), [
    ("A100-80GB-SXM", 1.0), ("A100-40GB-SXM", 1.0), ("RTX-4090", 1.0), ("RTX-5090", 1.0), ("H100", 1.5),
    ("A30", 1.5), ("RTX-3080-12GB", 0.9124 / (1.045 * 70 * 1.71 / (108 * 1.41))), ("M2-Ultra-76-192GB", 1.0),
])
def test_it_widens_the_speed_of_other_cards_that_it_binds_by_no_more_than_it_costs_them(card, factor):
    assert exp(reading_spread(LLAMA_CPP, find_gpu(card))) == pytest.approx(factor, rel=0.005)


def test_a_rows_interval_has_it_as_a_plans():
    """The squares of logarithms add: of a card left out, and of the limit."""
    found = serving_evidence(serving_run_of(engine="llama.cpp", gpu="H100", model="llama-3.1-8b", weight_dtype="q8_0"))
    _, high = LLAMA_CPP.ends("speed", "H100-80GB-SXM", "llama-3.1-8b", "lab", mixture=False)
    assert log(found.speed_high) == pytest.approx(hypot(log(high), log(1.5)))
    assert found.speed_low == pytest.approx(1.0 / found.speed_high)


@pytest.mark.parametrize(("source", "further"), [("q3t", 1.0), ("lab", 1.5)])
def test_hosts_that_start_every_kernel_differ_where_the_source_is_another(source, further):
    """transformers was fitted on one source's host."""
    row = find_engine("transformers")
    found = serving_evidence(serving_run_of(engine="transformers", gpu="H20", model="qwen3-8b", source=source))
    _, high = row.ends("speed", "H20-96GB-SXM", "qwen3-8b", source, mixture=False)
    assert log(found.speed_high) == pytest.approx(hypot(log(high), log(further)))
