"""Fits of an engine's efficiencies through the replay, and predictions of runs that a fit has not seen."""

import json
from dataclasses import replace

import left_out
import numpy as np
import pytest
from efficiency_fit import fit_efficiencies, fitted_times, same_shape, work_of, works_of
from left_out import judged_groups, validate_without_model
from left_out_errors import Errors, card_ends, ends
from tables_support import SERVING, TRAINING, read_serving, serving_run_of, write_table

from roi.catalog.efficiencies.serving_efficiencies import engine_habits
from roi.catalog.models.shapes import find_model
from roi.estimate.accuracy.serving_run import run_figures
from roi.evidence.serving_speed import reached, serving_evidence

STATIC = {"source": "t", "model": "llama-2-7b", "gpu": "H100-80GB-SXM", "design": "2024", "weight_dtype": "fp16",
          "kv_dtype": "fp16", "load": "static", "isl": "128", "osl": "128", "concurrency": "8", "output_tok_per_s": "1000"}


@pytest.fixture
def table(tmp_path):
    return lambda *changes: read_serving(tmp_path / "t.csv", *changes)


@pytest.mark.parametrize("change", [
    STATIC, {"load": "closed", "concurrency": "8", "ttft_ms": "100", "tpot_ms": "8"},
    {**STATIC, "load": "saturated", "concurrency": "", "prompts": "300", "model": "mixtral-8x7b", "tp": "2"},
    {"load": "closed", "concurrency": "8", "ttft_ms": "100", "tpot_ms": "8", "engine": "sglang"},
])
def test_the_work_of_a_run_times_its_coefficients_is_its_replay(change):
    """To a tenth of a percent: a replay with a server's own latency differs by when a closed loop's next request is sent."""
    run = serving_run_of(**change)
    known = serving_evidence(run).efficiencies
    plain = replace(known, request_s=0.0, request_steps=1.5)
    work = work_of(run)
    figures = run_figures(run, plain, engine_habits(run.engine))(1.0)
    found = {name: float(value) for name, value in work.predicted(_undone(plain, run)).items()}
    assert found["pace"] * figures.requests_per_s == pytest.approx(1.0, rel=0.01)
    assert found["tpot"] == pytest.approx(figures.tpot_s, rel=1e-3)
    assert found["ttft"] == pytest.approx(figures.ttft_s, rel=0.02)


def test_a_closed_loop_of_an_engine_that_computes_prompts_alone_is_fitted_to_its_pace():
    """8 in flight, 100 ms and 9 x 10 ms: by Little's law a request each (0.1 + 0.09) / 8 = 23.75 ms."""
    loop = {"load": "closed", "concurrency": "8", "ttft_ms": "100", "tpot_ms": "10", "osl": "10", "output_tok_per_s": ""}
    alone, mixed = (work_of(serving_run_of(**loop, engine=engine)) for engine in ("sglang", "vllm"))
    assert (fitted_times(alone), fitted_times(mixed)) == (("pace",), ("tpot",))
    assert alone.seconds["pace"] == pytest.approx(0.02375)


def _undone(engine, run):
    """The efficiencies before what the card reaches: `predicted` applies that itself."""
    there = reached(engine, run.system.gpu)
    return replace(engine, decode_mfu=engine.decode_mfu**2 / there.decode_mfu,
                   prefill_mfu=engine.prefill_mfu**2 / there.prefill_mfu)


@pytest.mark.full
def test_a_fit_predicts_what_an_engine_of_known_efficiencies_does(table):
    """24 static batches as the catalog's vLLM of 2024 runs them, fitted from the priors alone: within 6% of each."""
    works = works_of(table(*made_rows(table)[::2]).runs)
    engine = fit_efficiencies(works)
    off = [abs(np.log(float(w.predicted(engine)["pace"]) / w.seconds["pace"])) for w in works]
    assert np.median(off) < 0.03
    assert max(off) < 0.12


def test_quantiles_weigh_models_on_cards_alike_and_widen_for_few_of_them():
    """20 rows at 1.2 and 100 at 1 / 1.2: half of the weight at each; two groups widen by half."""
    first = [serving_run_of(id=f"a-{k}") for k in range(20)]
    second = [serving_run_of(id=f"b-{k}", gpu="H200-141GB-SXM") for k in range(100)]
    works = [work_of(first[0])] * 20 + [work_of(second[0])] * 100
    low, high = ends(np.log([1.2] * 20 + [1 / 1.2] * 100), works, 1.08)
    assert (low, high) == pytest.approx((1.2**-1.5, 1.2**1.5), rel=1e-2)


@pytest.mark.parametrize(("ratio", "expected"), [(1.0, (0.614, 1.628)), (3.0, (0.614, 4.0))])
def test_a_card_is_believed_by_parts_where_its_rows_lie_nearer_and_at_once_where_they_lie_further_out(ratio, expected):
    """An engine's ends of 0.5 and 2, a card with one model. Rows at 1: a third of ln 1.08 and two of ln 2, 1.628.

    Rows at 3: 3^(1 + 1 / 3), the most of 4. 19 rows say nothing.
    """
    works = [work_of(serving_run_of(id="a"))] * 20
    found = Errors(tuple(works), np.log([ratio] * 20), np.full(20, np.nan))
    assert card_ends(found, found.speed, same_shape, (0.5, 2.0), 1.08)["H100-80GB-SXM"] == pytest.approx(expected, rel=2e-3)
    few = Errors(tuple(works[:19]), found.speed[:19], found.ttft[:19])
    assert card_ends(few, few.speed, same_shape, (0.5, 2.0), 1.08) == {}


def test_llama_3_and_3_1_are_one_architecture():
    assert same_shape(serving_run_of()) == same_shape(serving_run_of(model="llama-3-8b"))
    assert find_model("llama-3-8b").id != find_model("llama-3.1-8b").id


def test_a_group_is_judged_from_three_models_on(table):
    """Llama-3-8B and 3.1-8B are one architecture: two models with Llama-2-7B, three with Qwen."""
    two = (STATIC, {**STATIC, "model": "llama-3-8b"}, {**STATIC, "model": "llama-3.1-8b"})
    found = table(*two)
    assert judged_groups(found.runs, {x.id: x for x in found.labels}) == frozenset()
    found = table(*two, {**STATIC, "model": "qwen2-7b"})
    assert judged_groups(found.runs, {x.id: x for x in found.labels}) == {"H100-80GB-SXM vllm-2024"}


def made_rows(table):
    """48 static batches as the catalog's vLLM of 2024 runs them, on one card."""
    changes = [{**STATIC, "model": model, "tp": tp, "concurrency": c, "isl": n, "osl": n, "output_tok_per_s": "1"}
               for model in ("llama-2-7b", "llama-2-13b", "llama-3-8b", "llama-2-70b") for tp in ("4", "8")
               for c in ("1", "16", "64") for n in ("128", "512")]
    for change, run in zip(changes, table(*changes).runs, strict=True):
        known = serving_evidence(run)
        at = run_figures(run, known.efficiencies, known.habits)(1.0)
        change |= {"output_tok_per_s": str(at.output_tokens_per_s), "req_per_s": str(at.requests_per_s)}
    return changes


@pytest.mark.full
def test_a_model_left_out_is_predicted_from_the_others_and_other_groups_are_only_listed(table):
    few = [{**change, "gpu": "A100-80GB-SXM", "ttft_ms": "900"} for change in made_rows(table)[:6]]
    found = validate_without_model(table(*made_rows(table), *few))
    block = found.counted.blocks["throughput"]
    assert (block.n, block.eligible, found.counted.unpredicted) == (48, 48, ())
    assert block.median_ape < 10.0
    assert found.judged == {"H100-80GB-SXM vllm-2024"}
    body = found.json()
    assert (body["rows"], body["throughput"]["n"], body["left_out"]) == (54, 48, "model")
    groups = body["by"]["group"]
    assert {name: (block["throughput"]["n"], block["judged"]) for name, block in groups.items()} == {
        "H100-80GB-SXM vllm-2024": (48, True), "A100-80GB-SXM vllm-2024": (6, False)}


@pytest.mark.full
def test_the_script_prints_the_report_and_refuses_tables_of_training_runs(table, tmp_path, capsys, monkeypatch):
    path = write_table(tmp_path / "s.csv", SERVING, *made_rows(table))
    monkeypatch.setattr("sys.argv", ["left_out.py", str(path), "--format", "json"])
    left_out.main()
    assert json.loads(capsys.readouterr().out)["throughput"]["n"] == 48
    monkeypatch.setattr("sys.argv", ["left_out.py", str(write_table(tmp_path / "t.csv", TRAINING, {}))])
    with pytest.raises(SystemExit, match="is a table of training runs"):
        left_out.main()
