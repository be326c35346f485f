"""Fits of an engine's efficiencies that recover what made their data, and predictions of runs that a fit has not seen."""

import json
from dataclasses import replace

import left_out
import numpy as np
import pytest
from efficiency_fit import MOST, equations_of, fit_efficiencies, speeds, step_equation
from left_out import balanced_quantiles, judged_groups, leave_out, same_model, validate_without_model
from tables_support import SERVING, TRAINING, read_serving, serving_run_of, write_table

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model
from roi.estimate.accuracy.serving_loads import operating_figures
from roi.estimate.accuracy.serving_run import ServingLoad, ServingRun, ServingSystem
from roi.estimate.serving.iteration import Efficiencies
from roi.evidence.serving_speed import serving_evidence

ROUND = Efficiencies(
    decode_mbu=0.8, kv_mbu=0.8, decode_mfu=0.5, prefill_mfu=0.5, step_overhead_s=1e-3, layer_overhead_s=2e-5,
    sequence_overhead_s=1e-5, collective_latency_s=5e-6, link_efficiency=0.5, request_s=0.01, request_steps=3.0,
)  # fmt: skip

STATIC = {"source": "t", "model": "llama-2-7b", "gpu": "H100-80GB-SXM", "design": "2024", "weight_dtype": "fp16",
          "kv_dtype": "fp16", "load": "static", "isl": "128", "osl": "128", "concurrency": "8", "output_tok_per_s": "1000"}


@pytest.fixture
def table(tmp_path):
    return lambda *changes: read_serving(tmp_path / "t.csv", *changes)


def made(engine, models=("llama-2-7b", "llama-2-13b", "llama-3-8b", "llama-3-70b"), recent=False):
    """Static batches as an engine of these efficiencies would run them."""
    runs = []
    for name in models:
        for gpu in ("H100-80GB-SXM", "H200-141GB-SXM"):
            for tp in (1.0, 4.0):
                for batch, length in ((1.0, 128.0), (16.0, 512.0), (64.0, 128.0), (16.0, 2048.0)):
                    system = ServingSystem(find_model(name), find_gpu(gpu), 1.0, tp, "bf16", "bf16")
                    load = ServingLoad(kind="static", input_tokens=length, output_tokens=length, concurrency=batch)
                    blank = ServingRun(f"{name}-{gpu}-{tp}-{batch}-{length}", "made", system, load, "vllm-2024", recent,
                                       requests_per_s=1.0)
                    equation = step_equation(blank)
                    if equation is not None:
                        values = vars(engine)
                        c = np.array([values[k] if np.isinf(most) else 1 / values[k] for k, most in MOST.items()])
                        c[-1] /= engine.kv_mbu
                        seconds = float(equation.parts @ c)
                        runs.append(replace(blank, requests_per_s=batch / (seconds * length)))
    return runs


def test_a_fit_recovers_the_efficiencies_that_made_its_runs():
    engine = replace(ROUND, kv_reread=0.3)
    found = fit_efficiencies(equations_of(made(engine)))
    for name in MOST:
        assert getattr(found, name) == pytest.approx(getattr(engine, name), rel=1e-3), name


def test_engines_of_one_design_share_a_fit_and_a_model_left_out_is_not_in_it():
    """Runs made without noise: whatever is left out, measured over predicted is 1."""
    runs = made(ROUND)
    found = leave_out(runs, runs, same_model)
    assert len(found.runs) == len(runs)
    assert found.speed == pytest.approx(np.ones(len(runs)), rel=0.05)
    assert speeds(equations_of(runs), ROUND) == pytest.approx(np.ones(len(runs)))


def test_nobody_is_faster_than_what_hardware_reaches():
    fast = [replace(run, requests_per_s=3.0 * (run.requests_per_s or 0.0)) for run in made(ROUND)]
    found = fit_efficiencies(equations_of(fast))
    assert found.decode_mbu <= 0.93 + 1e-9
    assert found.decode_mfu <= 0.80 + 1e-9


def test_cards_and_engines_weigh_the_same_whatever_their_rows():
    """A card with 20 rows at 1 and another with 100 at 2: half of the weight at each, so the median lies between."""
    first = [serving_run_of(id=f"a-{k}") for k in range(20)]
    second = [serving_run_of(id=f"b-{k}", gpu="H200-141GB-SXM") for k in range(100)]
    ratios = np.array([1.0] * 20 + [2.0] * 100)
    assert balanced_quantiles(ratios, first + second, 0.25, 0.75) == pytest.approx((1.0, 2.0))


def test_llama_3_and_3_1_are_one_architecture():
    assert same_model(serving_run_of()) == same_model(serving_run_of(model="llama-3-8b"))
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
        at = operating_figures(run, serving_evidence(run).efficiencies)
        change |= {"output_tok_per_s": str(at.output_tokens_per_s), "req_per_s": str(at.requests_per_s)}
    return changes


def test_a_model_left_out_is_predicted_from_the_others_and_other_groups_are_only_listed(table):
    few = [{**change, "gpu": "A100-80GB-SXM", "ttft_ms": "900"} for change in made_rows(table)[:6]]
    found = validate_without_model(table(*made_rows(table), *few))
    block = found.counted.blocks["throughput"]
    assert (block.n, block.eligible, found.counted.unpredicted) == (48, 48, ())
    assert block.median_ape < 3.0
    assert found.judged == {"H100-80GB-SXM vllm-2024"}
    body = found.json()
    assert (body["rows"], body["throughput"]["n"], body["left_out"]) == (54, 48, "model")
    groups = body["by"]["group"]
    assert {name: (block["throughput"]["n"], block["judged"]) for name, block in groups.items()} == {
        "H100-80GB-SXM vllm-2024": (48, True), "A100-80GB-SXM vllm-2024": (6, False)}


def test_a_table_too_small_to_leave_a_model_out_says_so(table):
    found = validate_without_model(table(STATIC, {}))
    assert found.every.blocks["throughput"].n == 0
    assert found.every.unpredicted[0] == ("lab-1", "engine: 'vllm-2024'; too few runs of other models to fit")


def test_the_script_prints_the_report_and_refuses_tables_of_training_runs(table, tmp_path, capsys, monkeypatch):
    path = write_table(tmp_path / "s.csv", SERVING, *made_rows(table))
    monkeypatch.setattr("sys.argv", ["left_out.py", str(path), "--left-out", "model", "--format", "json"])
    left_out.main()
    assert json.loads(capsys.readouterr().out)["throughput"]["n"] == 48
    monkeypatch.setattr("sys.argv", ["left_out.py", str(write_table(tmp_path / "t.csv", TRAINING, {}))])
    with pytest.raises(SystemExit, match="is a table of training runs"):
        left_out.main()
