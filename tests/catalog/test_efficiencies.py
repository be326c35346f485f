"""Fitted efficiencies: within what a card can do, with their evidence, spread and reason."""

import math
from itertools import product

import pytest

from roi.catalog.efficiencies.serving_efficiencies import adapter_throughput, find_engine, load_serving_efficiencies
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.errors import UnknownName

KNOWN = training_efficiencies()


def test_fitted_efficiencies_lie_below_one_and_name_their_evidence() -> None:
    for row in load_serving_efficiencies().engines:
        e = row.efficiencies
        shares = (e.decode_mbu, e.kv_mbu, e.decode_mfu, e.prefill_mfu, e.link_efficiency)
        assert max(shares) <= 1.5  # terms add: what overlaps in fact makes them come out higher
        assert min(shares) > 0.0
        assert {*row.intervals["dense"]} == {*row.intervals["mixture"]} == (
            set() if row.engine.startswith("other") else set(row.cards))
        assert row.runs == sum(sum(models.values()) for models in row.evidence.values()) or row.engine != "vllm"
        assert set(row.cards) <= set(row.evidence)
        assert {*row.sources} == {*row.cards, "elsewhere"}
    vllm = find_engine("vllm")
    assert find_engine("TGI").engine == "other"
    assert vllm.speed("L4", mixture=False).high > vllm.elsewhere["dense"].speed
    assert vllm.nearest("L4", "llama-2-7b").endswith("rows, other cards, vllm, 4 other models")
    assert vllm.nearest("H100-80GB-SXM", "qwen3-32b").endswith("rows, H100-80GB-SXM, vllm, this model")
    with pytest.raises(UnknownName, match="engine: unknown engine 'vlm'; nearest: vllm"):
        find_engine("vlm")


def test_what_is_further_from_evidence_is_known_no_better():
    """same <= model <= elsewhere of every engine, card and quantity; an engine that was not fitted as the worst of its time; a
    mixture no better than a dense model."""
    rows = {row.engine: row for row in load_serving_efficiencies().engines}
    for row in rows.values():
        for quantity in ("speed", "ttft"):
            for kind, (gpu, levels) in ((name, each) for name, found in row.intervals.items() for each in found.items()):
                ends = [getattr(spread, quantity) for spread in (levels["same"], levels["model"], row.elsewhere[kind])]
                assert 1.0 < ends[0] <= ends[1] <= ends[2], (row.engine, quantity)
                assert ends[0] >= getattr(row.intervals["dense"][gpu]["same"], quantity)
    for name, kind in product(("vllm", "tensorrt-llm", "sglang"), ("dense", "mixture")):
        assert rows[name].elsewhere[kind].speed <= rows["other"].elsewhere[kind].speed
        assert rows[name].elsewhere[kind].ttft <= rows["other"].elsewhere[kind].ttft
        assert rows[name].elsewhere["dense"].speed <= rows[name].elsewhere["mixture"].speed


def test_a_source_that_no_fit_has_seen_is_wider_by_the_square_of_logarithms():
    """ln high^2 = ln spread^2 + left ln new^2; the ends are 1 over each other. All of the fit has the spread alone; a source of
    few of its runs nearly all of a new one's, and on a card with a fit of its own those of that card count."""
    vllm, new = find_engine("vllm"), load_serving_efficiencies().new_source
    known = vllm.intervals["dense"]["H100-80GB-SXM"]["same"].speed
    assert vllm.ends("speed", "H100-80GB-SXM", "qwen3-32b", "sil", mixture=False)[1] == pytest.approx(known)
    low, high = vllm.ends("speed", "H100-80GB-SXM", "qwen3-32b", mixture=False)
    assert math.log(high) ** 2 == pytest.approx(math.log(known) ** 2 + math.log(new) ** 2)
    assert low * high == pytest.approx(1.0)
    for mixture, kind in ((False, "dense"), (True, "mixture")):
        most = vllm.elsewhere[kind].ttft
        assert vllm.ends("ttft", "L4", "", "sil", mixture=mixture) == pytest.approx((1.0 / most, most))
    early = find_engine("vllm-2024")
    left = early.sources["elsewhere"]
    assert left["anl"] < 0.1
    assert 0.8 < left["vllm"] < 1.0
    high = early.ends("speed", "L4", "", "vllm", mixture=False)[1]
    known = early.elsewhere["dense"].speed
    assert math.log(high) ** 2 == pytest.approx(math.log(known) ** 2 + left["vllm"] * math.log(new) ** 2)
    assert early.ends("speed", "A100-40GB-SXM", "", "vllm", mixture=False) == early.ends(
        "speed", "A100-40GB-SXM", "", "a new one", mixture=False)


def test_merged_adapters_cost_nothing_and_more_unmerged_ones_cost_more() -> None:
    assert [adapter_throughput(n).value for n in (0, 1, 50, 100, 5000)] == [1.0, 0.9, 0.9, 0.87, 0.81]


def test_every_efficiency_states_its_source_spread_and_reason():
    for name in type(KNOWN).model_fields:
        e = getattr(KNOWN, name)
        assert e.low < e.number() < e.high, name
        assert e.source, name
        assert e.reason, name
        assert (e.n > 0) == (e.basis in {"calibrated", "dry run"}), name
