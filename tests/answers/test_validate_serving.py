"""`roi validate` on tables of serving runs: blocks and groups by hand, models left out, and what is printed."""

import csv
import json
from dataclasses import replace

import pytest
import render_accuracy
from click.testing import CliRunner
from roi.store.tables.either_table import read_validation_table

from roi.cli import main
from roi.errors import InputError
from roi.estimate.accuracy.serving_errors import judged_groups, validate_serving
from roi.estimate.accuracy.serving_interval import ServingEvidence
from roi.estimate.accuracy.serving_loads import operating_figures
from roi.evidence.serving_speed import serving_evidence, without_its_model
from roi.report.serving.serving_validation import serving_validation_json, serving_validation_text
from roi.store.tables.serving_table import ServingTable, serving_table
from roi.store.tables.training_table import RowTable

HEADS = ("id", "date", "model", "params_b", "gpu", "n_gpus", "tp", "precision", "engine", "engine_version", "scenario", "isl",
         "osl", "concurrency", "req_per_s", "output_tok_per_s", "total_tok_per_s", "ttft_ms", "tpot_ms", "tpot_stat", "lora",
         "notes")  # fmt: skip

STATIC = {"date": "2024-10", "model": "Llama-2-7B", "gpu": "H100-SXM", "n_gpus": "1", "tp": "1", "precision": "fp16/kv fp16",
          "engine": "vLLM", "engine_version": "0.6.0", "scenario": "static batch", "isl": "128", "osl": "128",
          "concurrency": "8", "output_tok_per_s": "1000"}
CLOSED = {"date": "2025-10", "model": "Llama-3.1-8B", "gpu": "H200", "n_gpus": "1", "tp": "1", "precision": "bf16/kv bf16",
          "engine": "vllm", "engine_version": "0.10.0", "scenario": "closed loop", "isl": "1024", "osl": "257",
          "concurrency": "8", "ttft_ms": "100", "tpot_ms": "8"}


def rows(*changes):
    return [{"id": f"t-{k}", **change} for k, change in enumerate(changes)]


def validated(*changes, **rest):
    table = serving_table(rows(*changes))
    return validate_serving(table.runs, table.labels, table.skipped, rest.pop("evidence", serving_evidence), **rest)


def twice_as_fast(run):
    """Evidence that predicts half the measured time or twice the rate, whatever the run: from its own figures."""
    known = serving_evidence(run)
    figures = operating_figures(run, known.efficiencies)
    measured = run.output_tokens_per_s or 0.0
    speed = 2.0 * measured / figures.output_tokens_per_s
    scaled = {name: value * speed for name, value in vars(known.efficiencies).items() if "mbu" in name or "mfu" in name}
    scaled |= {name: value / speed for name, value in vars(known.efficiencies).items() if name.endswith("_s")}
    return ServingEvidence(replace(known.efficiencies, **scaled), 0.9, 1.1, 0.5, 2.0, basis="twice")


def test_a_prediction_of_twice_the_rate_is_off_by_100_percent():
    found = validated(STATIC, evidence=twice_as_fast).blocks["throughput"]
    assert (found.n, found.eligible) == (1, 1)
    assert (found.mape, found.bias, found.coverage90) == (pytest.approx(100.0), pytest.approx(100.0), 0.0)


def test_each_figure_has_its_block_and_derived_throughput_its_own():
    found = validated(STATIC, CLOSED)
    assert [found.blocks[q].n for q in ("throughput", "tpot", "ttft")] == [1, 1, 1]
    assert (found.derived.n, found.derived.eligible) == (1, 1)
    assert set(found.by["group"]) == {"H100-80GB-SXM vllm-2024", "H200-141GB-SXM vllm"}
    assert found.by["engine"]["vllm"]["throughput"].eligible == 0


def test_skipped_rows_stay_eligible_and_implausible_ones_stand_apart():
    found = validated(STATIC, {**STATIC, "gpu": "TPUv5"}, {**STATIC, "notes": "IMPLAUSIBLE (beats the roofline)"})
    assert (found.blocks["throughput"].n, found.blocks["throughput"].eligible) == (1, 2)
    assert (found.implausible["throughput"].n, found.implausible["throughput"].eligible) == (1, 1)
    assert [id for id, _ in found.skipped] == ["t-1"]


def test_a_group_is_judged_from_three_models_on():
    """Llama-3-8B and 3.1-8B are one architecture: two models with Llama-2-7B, three with Qwen."""
    two = rows(STATIC, {**STATIC, "model": "Llama-3-8B"}, {**STATIC, "model": "Llama-3.1-8B"})
    table = serving_table(two)
    assert judged_groups(table.runs, {x.id: x for x in table.labels}) == frozenset()
    table = serving_table(rows(*two, {**STATIC, "model": "Qwen2-7B"}))
    assert judged_groups(table.runs, {x.id: x for x in table.labels}) == {"H100-80GB-SXM vllm-2024"}


TRAINING = """\
id,model,gpu,method,rank,target_modules,quant,micro_batch,seq_len_max,gradient_checkpointing,peak_mem_gib,peak_mem_kind,tokens_per_s
x-1,qwen2.5-0.5b,L40S,lora,8,qv,none,1,512,no,4,allocated,
"""

MODELS = ("Llama-2-7B", "Llama-2-13B", "Llama-3-8B", "Llama-2-70B")


def made_table():
    """48 static batches as the catalog's vLLM of 2024 runs them, on one card."""
    changes = [{**STATIC, "model": model, "tp": tp, "n_gpus": tp, "concurrency": c, "isl": n, "osl": n, "output_tok_per_s": "1"}
               for model in MODELS for tp in ("4", "8") for c in ("1", "16", "64") for n in ("128", "512")]
    for change, run in zip(changes, serving_table(rows(*changes)).runs, strict=True):
        at = operating_figures(run, serving_evidence(run).efficiencies)
        change |= {"output_tok_per_s": str(at.output_tokens_per_s), "req_per_s": str(at.requests_per_s)}
    return changes


def test_a_model_left_out_is_predicted_from_the_others():
    table = serving_table(rows(*made_table()))
    found = validate_serving(table.runs, table.labels, table.skipped, without_its_model(table.runs), "model")
    block = found.blocks["throughput"]
    assert (block.n, block.eligible, found.unpredicted) == (48, 48, ())
    assert block.median_ape < 3.0
    assert found.judged == {"H100-80GB-SXM vllm-2024"}


def test_a_table_too_small_to_leave_a_model_out_says_so():
    table = serving_table(rows(STATIC, CLOSED))
    found = validate_serving(table.runs, table.labels, table.skipped, without_its_model(table.runs), "model")
    assert found.blocks["throughput"].n == 0
    assert found.unpredicted[0] == ("t-0", "engine: 'vllm-2024'; too few runs of other models to fit")


def write(path, changes, heads=HEADS):
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, heads, extrasaction="ignore", restval="")
        out.writeheader()
        out.writerows(rows(*changes))
    return path


def test_the_command_answers_a_serving_table_in_the_same_json(tmp_path):
    done = CliRunner().invoke(main, ["validate", str(write(tmp_path / "s.csv", [STATIC, CLOSED])), "--format", "json"])
    assert done.exit_code == 0, done.output
    body = json.loads(done.output)
    keys = ["n", "eligible", "mape", "median_ape", "bias", "p90", "coverage90"]
    assert (body["schema"], body["instrument"], body["rows"]) == ("roi.validation/1", "serving", 2)
    for quantity in ("memory", "throughput", "tpot", "ttft"):
        assert list(body[quantity]) == keys
    assert body["memory"]["n"] == 0
    assert body["by"]["source"]["t"]["tpot"]["n"] == 1
    assert {p["quantity"] for p in body["predictions"]} == {"throughput", "tpot", "ttft"}
    assert next(p for p in body["predictions"] if p["quantity"] == "ttft")["measured"] == pytest.approx(100.0)


def test_the_command_leaves_a_model_out(tmp_path):
    done = CliRunner().invoke(main, ["validate", str(write(tmp_path / "s.csv", made_table())), "--left-out", "model"])
    assert done.exit_code == 0, done.output
    assert "H100-80 vllm-2024*" in done.output
    assert "fit of this table's other models" in done.output.replace("\n", " ")


def test_the_report_keeps_to_80_columns():
    wrong = {**STATIC, "notes": "IMPLAUSIBLE", "model": "Llama-3-70B", "tp": "4", "n_gpus": "4"}
    text = serving_validation_text(validated(STATIC, CLOSED, {**STATIC, "gpu": "TPUv5"}, wrong))
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "Marked IMPLAUSIBLE, or by their own figures" in text
    assert "gpu: not in the catalog" in text


def test_ids_are_printed_whole_however_long_they_are():
    ids = ["lab-" + "x" * 30 + "-h100_8192x1024_c512_tp4_ep1_1130", "anl-1"]
    table = serving_table([{**STATIC, "id": id} for id in ids])
    found = validate_serving(table.runs, table.labels, table.skipped, serving_evidence)
    lines = serving_validation_text(found).splitlines()
    assert max(len(line) for line in lines) <= 80
    assert all(any(line.split()[:1] == [id] for line in lines) for id in ids)


def redone(body, quantity, **flags):
    """The statistics of a block from the list of predictions alone, in plain Python; quantiles interpolate linearly."""
    wanted = {"derived": False, "implausible": False, **flags}
    some = [p for p in body["predictions"] if p["quantity"] == quantity
            and all(p[key] == value for key, value in wanted.items())]
    errors = [100.0 * (p["predicted"] / p["measured"] - 1.0) for p in some]
    sizes = sorted(abs(error) for error in errors)

    def quantile(share):
        at = share * (len(sizes) - 1)
        low = int(at)
        return sizes[low] + (at - low) * (sizes[min(low + 1, len(sizes) - 1)] - sizes[low])

    if not some:
        return {"n": 0, **dict.fromkeys(("mape", "median_ape", "bias", "p90", "coverage90"))}
    inside = sum(p["low"] <= p["measured"] <= p["high"] for p in some)
    return {"n": len(some), "mape": sum(sizes) / len(some), "median_ape": quantile(0.5), "bias": sum(errors) / len(some),
            "p90": quantile(0.9), "coverage90": 100.0 * inside / len(some)}


def same(block, again):
    return all(block[key] == (value if value is None else pytest.approx(value, rel=1e-9)) for key, value in again.items())


@pytest.mark.parametrize("left_out", ["", "model"])
def test_every_figure_of_the_json_follows_from_its_predictions_alone(left_out):
    """Four models on one card are judged, one on another is not; a row is implausible; a closed loop has derived throughput."""
    few = [{**change, "gpu": "A100-80GB", "scenario": "static batch", "ttft_ms": "900"} for change in made_table()[:6]]
    off = [{**change, "output_tok_per_s": str(float(change["output_tok_per_s"]) * 1.3)} for change in made_table()[::5]]
    wrong = {**STATIC, "notes": "IMPLAUSIBLE"}
    table = serving_table(rows(*made_table(), *few, *off, wrong, *([] if left_out else [CLOSED])))
    evidence = without_its_model(table.runs) if left_out else serving_evidence
    body = json.loads(serving_validation_json(validate_serving(table.runs, table.labels, table.skipped, evidence, left_out)))
    for quantity in ("throughput", "tpot", "ttft"):
        assert same(body[quantity], redone(body, quantity, counted=True))
        assert same(body["implausible"][quantity], redone(body, quantity, implausible=True))
        for group in ("source", "gpu", "engine"):
            assert all(same(blocks[quantity], redone(body, quantity, counted=True, **{group: name}))
                       for name, blocks in body["by"][group].items())
        for name, blocks in body["by"]["group"].items():
            gpu, engine = name.split(" ")
            assert same(blocks[quantity], redone(body, quantity, gpu=gpu, engine=engine))
    assert same(body["derived"]["throughput"], redone(body, "throughput", counted=True, derived=True))
    assert body["throughput"]["n"] == (58 if left_out else 64)
    assert (body["derived"]["throughput"]["n"], body["implausible"]["throughput"]["n"]) == (0 if left_out else 1, 1)
    assert sum(body["bases"].values()) == len({p["id"] for p in body["predictions"]})
    assert {p["basis"] for p in body["predictions"]} == set(body["bases"])


def test_the_json_has_null_where_nothing_was_predicted():
    body = json.loads(serving_validation_json(validated(STATIC)))
    blank = dict.fromkeys(("mape", "median_ape", "bias", "p90", "coverage90"))
    assert body["tpot"] == {"n": 0, "eligible": 0, **blank}


def test_markdown_has_tables(tmp_path):
    done = CliRunner().invoke(main, ["validate", str(write(tmp_path / "s.csv", [STATIC])), "--format", "markdown"])
    assert done.exit_code == 0, done.output
    assert "| **all** | 1 | 1 |" in done.output


def test_tables_are_told_apart_by_their_columns(tmp_path):
    assert isinstance(read_validation_table(write(tmp_path / "s.csv", [STATIC])), ServingTable)
    training = tmp_path / "t.csv"
    training.write_text(TRAINING, encoding="utf-8")
    assert isinstance(read_validation_table(training), RowTable)


@pytest.mark.parametrize(("heads", "told"), [
    (("id", "model", "engine", "isl", "osl", "req_per_s"), "has no column 'gpu'"),
    (("id", "model", "gpu", "engine", "isl", "osl"), "has nothing to compare; one of the columns req_per_s,"),
])  # fmt: skip
def test_a_serving_table_without_what_it_needs_exits_2(tmp_path, heads, told):
    path = write(tmp_path / "s.csv", [STATIC], heads)
    with pytest.raises(InputError, match=told.replace("(", r"\(")):
        read_validation_table(path)
    done = CliRunner().invoke(main, ["validate", str(path)])
    assert done.exit_code == 2
    assert len(done.output.strip().splitlines()) == 1


def test_a_table_of_which_no_row_can_be_used_exits_2(tmp_path):
    done = CliRunner().invoke(main, ["validate", str(write(tmp_path / "s.csv", [{**STATIC, "gpu": "TPUv5"}]))])
    assert done.exit_code == 2
    assert "no row of 1 could be used; row 't-0', gpu: 'TPUv5'" in done.output


def test_left_out_is_for_serving_tables(tmp_path):
    training = tmp_path / "t.csv"
    training.write_text(TRAINING, encoding="utf-8")
    done = CliRunner().invoke(main, ["validate", str(training), "--left-out", "model"])
    assert done.exit_code == 2
    assert "--left-out model: for tables of serving runs" in done.output


def test_a_dry_run_is_for_training_tables(tmp_path):
    done = CliRunner().invoke(main, ["validate", str(write(tmp_path / "s.csv", [STATIC])), "--instrument", "dry-run"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--instrument dry-run: for memory of training" in done.stderr


def test_percentiles_are_told_with_their_rows(tmp_path):
    row = {**CLOSED, "ttft_stat": "p99"}
    path = write(tmp_path / "s.csv", [row], (*HEADS, "ttft_stat"))
    told = [{"id": "t-0", "reason": "ttft_stat: 'p99'; a percentile, and means are predicted"}]
    assert json.loads(CliRunner().invoke(main, ["validate", str(path), "--format", "json"]).stdout)["not_predicted"] == told
    text = CliRunner().invoke(main, ["validate", str(path)]).stdout
    assert "1 used, 0 skipped" in text
    assert "Figures without a prediction: 1" in text


def test_the_accuracy_page_has_the_kept_serving_answers():
    page = (render_accuracy.DOCS / "accuracy.md").read_text(encoding="utf-8")
    kept = render_accuracy.read("serving-left-out")
    block = kept["by"]["source"]["anl"]["throughput"]
    assert block["median_ape"] <= 12.0
    assert kept["by"]["source"]["sil"]["tpot"]["median_ape"] <= 12.0
    assert f"{block['n']} / {block['eligible']} | {block['mape']:.1f} | {block['median_ape']:.1f}" in page
