"""`roi validate`: errors and coverage by hand, like compared with like, and what is printed."""

import csv
import json
from dataclasses import asdict, replace
from math import exp

import pytest
import render_accuracy
from asked import ask

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model
from roi.estimate.accuracy.error_blocks import ErrorBlock, SkippedRow, summarise_errors
from roi.estimate.accuracy.measured_run import (
    CHUNKED_LOSS,
    EMPTIED_CACHE,
    UNPREPARED,
    VARIABLE_LENGTHS,
    MeasuredRun,
    NoPrediction,
    Prediction,
    memory_predictor,
    throughput_predictor,
    widen,
)
from roi.estimate.accuracy.training_errors import RowLabel, Score, validate_runs
from roi.estimate.fitting.distance import APART, FORMULA_ERROR
from roi.estimate.fitting.overhead import Overhead
from roi.estimate.step.calibration import Evidence
from roi.estimate.step.step_time import StepEfficiency
from roi.estimate.training.memory import training_memory
from roi.estimate.training.plan import TrainingPlan
from roi.units import GIB

SMALL = find_model("qwen2.5-0.5b")
PLAN = TrainingPlan(targets="qv", micro_batch=2.0, seq=1024.0, padded=False)
OVERHEAD = Overhead((0.1, 0.05, 0.4), (0.5 * GIB, 0.3 * GIB, 0.6 * GIB))
EFFICIENCY = StepEfficiency(0.5, 0.8, 1e-5, 0.9)


def label(id, kind="allocated", source="a", method="lora", gpu="L40S", memory=True, throughput=False):
    return RowLabel(id, source, method, gpu, kind, memory, throughput)


def score(measured, predicted, low, high):
    return Score(label("x"), "memory", measured, predicted, low, high)


def make_run(id="x-1", kind="allocated", measured=4.0 * GIB, speed=None, **rest):
    return MeasuredRun(id, "x", "lora", "L40S", SMALL, rest.pop("plan", PLAN), rest.pop("gpu", find_gpu("L40S")),
                       rest.pop("mean", 512.0), measured, kind, speed, **rest)


def test_the_statistics_of_three_rows():
    """110, 100 and 160 against 100, 125 and 200: errors +10, -20, -20 percent. Mean size 50/3, median 20, bias -10; p90 of
    (10, 20, 20) = 20. The intervals hold 100 (90 to 120) and 200 (100 to 200), not 125 (80 to 120): two of three."""
    block = summarise_errors([score(100, 110, 90, 120), score(125, 100, 80, 120), score(200, 160, 100, 200)], 5)
    assert (block.n, block.eligible) == (3, 5)
    assert block.mape == pytest.approx(50 / 3)
    assert (block.median_ape, block.bias, block.p90) == pytest.approx((20.0, -10.0, 20.0))
    assert block.coverage90 == pytest.approx(200 / 3)


def test_the_ninetieth_percentile_lies_between_rows():
    """Sizes 10 and 20: nine tenths of the way, 19."""
    assert summarise_errors([score(100, 110, 0, 0), score(100, 120, 0, 0)], 2).p90 == pytest.approx(19.0)


def test_an_empty_block_has_no_statistics():
    assert asdict(summarise_errors([], 4)) == {
        "n": 0, "eligible": 4, "mape": None, "median_ape": None, "bias": None, "p90": None, "coverage90": None}


def test_each_default_widens_the_interval_on_its_own_side():
    """10 (9 to 12) with others at 7, 8 and 15: low 9 - 3 - 2 = 4, high 12 + 5 = 17."""
    assert widen(Prediction(10.0, 9.0, 12.0), [7.0, 8.0, 15.0]) == Prediction(10.0, 4.0, 17.0)


def test_defaults_never_take_away_the_whole_figure():
    assert widen(Prediction(10.0, 9.0, 12.0), [1.0, 1.0]).low > 0.0


def constant(value):
    return lambda run: Prediction(value, 0.9 * value, 1.1 * value)


def nothing(_run):
    return NoPrediction("gpu: unknown")


def test_memory_of_an_unstated_kind_counts_by_source_and_kind_alone():
    """Stated: 5 GiB against 4 = +25%. Unstated: 5 against 10 = -50%."""
    runs = [make_run("x-1"), make_run("x-2", kind="unstated", measured=10.0 * GIB)]
    labels = [label("x-1", source="x"), label("x-2", "unstated", source="x")]
    found = validate_runs(runs, labels, [], constant(5.0 * GIB), nothing)
    assert (found.memory.n, found.memory.eligible, found.memory.mape) == (1, 1, pytest.approx(25.0))
    assert found.by["kind"]["unstated"][0].bias == pytest.approx(-50.0)
    assert found.by["source"]["x"][0].n == 2
    assert found.by["method"]["lora"][0].n == 1
    assert found.by["gpu"]["L40S"][0].n == 1


def test_skipped_rows_stay_eligible():
    labels = [label("x-1"), label("x-2", method="peft:vera", throughput=True)]
    left = [SkippedRow(3, "x-2", "method", "peft:vera", "none")]
    found = validate_runs([make_run("x-1")], labels, left, constant(5.0 * GIB), nothing)
    assert (found.rows, found.memory.n, found.memory.eligible) == (2, 1, 2)
    assert found.throughput == ErrorBlock(0, 1)
    assert found.by["method"]["peft:vera"][0] == ErrorBlock(0, 1)


def test_a_quantity_without_a_prediction_is_reported_with_its_reason():
    found = validate_runs([make_run(speed=100.0)], [label("x-1", throughput=True)], [], constant(1.0), nothing)
    assert found.unpredicted == (("x-1", "throughput", "gpu: unknown"),)
    assert found.throughput == ErrorBlock(0, 1)


def test_fits_is_asked_of_rows_that_ran_and_of_rows_that_did_not():
    """L40S holds 44.39 GiB. Predicted 50: the failed row is right, the one that ran wrong; 40: the other way round."""
    runs = [make_run("x-1", measured=None, out_of_memory=True), make_run("x-2"), make_run("x-3", gpu=None)]
    labels = [label(run.id) for run in runs]
    assert validate_runs(runs, labels, [], constant(50.0 * GIB), nothing).fits == (1, 1, 1, 0)
    assert validate_runs(runs, labels, [], constant(40.0 * GIB), nothing).fits == (1, 0, 1, 1)


def test_second_figures_have_a_block_of_their_own():
    """Allocated 4 GiB and reserved 5 against 5 predicted: +25% and 0; one row more states it but was skipped."""
    second = [make_run("x-1", kind="reserved", measured=5.0 * GIB)]
    labels = [label("x-1")._replace(second=("reserved",)), label("x-2")._replace(second=("reserved",))]
    found = validate_runs([make_run("x-1")], labels, [], constant(5.0 * GIB), nothing, second)
    assert (found.memory.n, found.memory.bias) == (1, pytest.approx(25.0))
    assert (found.second["reserved"].n, found.second["reserved"].eligible) == (1, 2)
    assert found.second["reserved"].mape == pytest.approx(0.0)


def test_defaults_are_counted():
    first = ("lora_dropout 0", PLAN)
    runs = [make_run("x-1", assumed=(first,)), make_run("x-2", assumed=(first, ("b", PLAN)))]
    found = validate_runs(runs, [label(run.id) for run in runs], [], constant(1.0), nothing)
    assert found.assumptions == (("lora_dropout 0", 2), ("b", 1))


def ends_of(kind, value):
    """The value and its ends by the distance of a kind of rows, in logarithms."""
    return value * exp(-APART[kind]), value * exp(APART[kind])


def predicted(**change):
    return memory_predictor(OVERHEAD)(make_run(**change))


def test_memory_is_predicted_as_the_kind_that_was_measured():
    """Slack is 0.1 of what the allocator typically holds loose; the context 0.5 GiB."""
    memory = training_memory(SMALL, PLAN, find_gpu("L40S"))
    peak, loose = float(memory.peak_allocated_bytes), float(memory.loose_bytes)
    assert predicted(kind="allocated").value == pytest.approx(peak)
    assert predicted(kind="reserved").value == pytest.approx(peak + 0.1 * loose)
    assert predicted(kind="process").value == pytest.approx(peak + 0.1 * loose + 0.5 * GIB)
    assert predicted(kind="unstated").value == predicted(kind="process").value


def test_a_job_with_collectives_shows_what_nccl_holds_too():
    """0.75 GiB beside the context of 0.5, in the process alone."""
    spread = replace(PLAN, gpus=2)
    bucket = float(training_memory(SMALL, spread).peak_allocated_bytes - training_memory(SMALL, PLAN).peak_allocated_bytes)
    assert predicted(plan=spread, kind="allocated").value - predicted(kind="allocated").value == pytest.approx(bucket)
    apart = [predicted(plan=plan, kind="process").value - predicted(plan=plan, kind="reserved").value
             for plan in (PLAN, spread)]
    assert apart == pytest.approx([0.5 * GIB, 1.25 * GIB])


def test_the_interval_holds_the_spread_of_slack_and_context_and_the_formula_s_error():
    memory = training_memory(SMALL, PLAN, find_gpu("L40S"))
    peak, loose = float(memory.peak_allocated_bytes), float(memory.loose_bytes)
    found = predicted(kind="process")
    assert found.low == pytest.approx((1.0 - FORMULA_ERROR) * peak + 0.05 * loose + 0.3 * GIB)
    assert found.high == pytest.approx((1.0 + FORMULA_ERROR) * peak + 0.4 * loose + 0.6 * GIB)
    unstated = predicted(kind="unstated")
    assert (unstated.low, unstated.high) == pytest.approx(ends_of("unstated", unstated.value))


def test_a_source_that_nobody_has_measured_is_wider_than_the_formula_s_error():
    """An allocated peak: 1.5% of the formula, but one more source lies up to 4% off."""
    found = predicted()
    assert (found.low, found.high) == pytest.approx((found.value * exp(-0.04), found.value * exp(0.04)))


def test_a_default_widens_by_the_difference_of_its_two_plans():
    kept = replace(PLAN, logits_kept=True)
    bare, wide = predicted(), predicted(assumed=(("logits_kept false", kept),))
    difference = predicted(plan=kept).value - bare.value
    assert difference > 0
    formula = (1.0 + FORMULA_ERROR) * bare.value
    assert (wide.value, wide.low, wide.high) == pytest.approx((bare.value, bare.low, formula + difference))


def test_an_emptied_cache_has_no_slack_and_varying_lengths_leave_segments_behind():
    """Of varying lengths: the loss's high point and 3.23 times its chain, log-softmax and two gradients, 12 bytes a logit."""
    memory = training_memory(SMALL, PLAN)
    loose, chain = float(memory.loose_bytes), 12.0 * float(PLAN.micro_batch * PLAN.seq) * 151_936
    plain = predicted(kind="reserved")
    emptied = predicted(kind="reserved", assumed=((EMPTIED_CACHE, PLAN),))
    varying = predicted(kind="reserved", assumed=((VARIABLE_LENGTHS, PLAN),))
    assert emptied.value == pytest.approx(plain.value - 0.1 * loose)
    tall = float(memory.phase_bytes[1]) + 3.23 * chain
    assert varying.value == pytest.approx(tall)
    assert (varying.low, varying.high) == pytest.approx(ends_of("varied", tall))


def test_varying_lengths_reserve_no_more_than_the_card_holds():
    """The allocator gives its cache back where the driver has none left; the plan itself needs what it needs."""
    wide = replace(PLAN, micro_batch=16.0)
    varying = predicted(plan=wide, kind="reserved", gpu=find_gpu("RTX-4090"), assumed=((VARIABLE_LENGTHS, wide),))
    plain = predicted(plan=wide, kind="reserved", gpu=find_gpu("RTX-4090"))
    assert varying.value == max(plain.value, find_gpu("RTX-4090").memory_bytes)


def test_a_loss_in_chunks_lowers_the_low_end_to_the_peak_with_such_a_loss():
    whole, less = (float(training_memory(SMALL, p).peak_allocated_bytes) for p in (PLAN, replace(PLAN, loss="chunked")))
    assert less < whole
    plain, chunked = predicted(), predicted(assumed=((CHUNKED_LOSS, PLAN),))
    below, above = ends_of("other loop", plain.value)
    assert chunked.low == pytest.approx(min((1.0 - FORMULA_ERROR) * whole - (whole - less), below))
    assert (chunked.value, chunked.high) == (plain.value, pytest.approx(above))


def test_without_k_bit_preparation_the_low_end_has_embedding_and_norms_in_16_bits():
    """Qwen2.5-0.5B: tied embedding 151,936 x 896 + norms 49 x 896 + biases 24 x 1,152 = 136,206,208 parameters x 2 bytes."""
    packed = replace(PLAN, method="qlora")
    plain, bare = predicted(plan=packed), predicted(plan=packed, assumed=((UNPREPARED, packed),))
    formula = (1.0 - FORMULA_ERROR) * plain.value - 2.0 * 136_206_208
    assert bare.low == pytest.approx(min(formula, ends_of("other loop", plain.value)[0]))


def speed(**change):
    known = Evidence(EFFICIENCY, 0.45, 1.35, "all", 1, ())
    return throughput_predictor(lambda *_: known)(make_run(speed=1.0, **change))


def test_throughput_spreads_with_the_overall_efficiency():
    """0.45, 0.9 and 1.35: half, once and 1.5 times the central figure."""
    found = speed()
    assert (found.low, found.high) == pytest.approx((0.5 * found.value, 1.5 * found.value))


def test_an_offloaded_row_spreads_with_the_hosts_rates_as_fit_does():
    """The card's speed is known. The host has 0.67 of a second: as much more at half its rates, half as much less at twice."""
    known = Evidence(EFFICIENCY, 0.9, 0.9, "all", 1, ())
    plan = TrainingPlan(method="full", sharding="zero3", gpus=2, seq=1024)
    here, away = (throughput_predictor(lambda *_: known)(make_run(speed=1.0, plan=replace(plan, offload=offload)))
                  for offload in (False, True))
    assert (here.low, here.high) == pytest.approx((here.value, here.value))
    assert (hosts := away.value / away.low - 1.0) == pytest.approx(0.67, abs=0.01)
    assert away.value / away.high == pytest.approx(1.0 - hosts / 2.0)


def test_throughput_follows_the_mean_length_capped_by_the_longest():
    assert speed(mean=256.0).value != speed(mean=512.0).value
    assert speed(mean=5000.0).value == speed(mean=1024.0).value


def test_throughput_needs_a_card_and_a_mean_length():
    assert "L40S" in speed(gpu=None).reason
    assert "seq_len_mean" in speed(mean=None).reason


TABLE = """\
id,source,reference,model,gpu,n_gpus,method,quant,double_quant,rank,target_modules,base_dtype,micro_batch,grad_accum,\
seq_len_max,seq_len_mean,padded,gradient_checkpointing,attention_impl,optimizer,lora_dropout,trainer,logits_kept,autocast,\
peak_mem_gib,peak_mem_kind,tokens_per_s,fits,trainable_params,assumed,habits
rtx4080-001,rtx4080,,qwen2.5-0.5b,RTX-4080,1,lora,none,,16,q_proj+v_proj,bf16,1,1,1024,1024,false,true,sdpa,paged-adamw-8bit,\
0.05,plain,true,false,3.0,allocated,3700,,,lora_dropout+logits_kept,
rtx4080-002,rtx4080,,qwen2.5-1.5b,RTX-4080,1,qlora,nf4,false,16,q_proj+v_proj,bf16,1,1,1024,1024,false,true,sdpa,\
paged-adamw-8bit,0.05,plain,true,false,4.0,reserved,1900,,,lora_dropout+logits_kept,
peft-001,peft,peft@a x.json,llama-3.2-3b,L40S,1,full:ia3,none,,,q_proj+v_proj,bf16,4,1,768,209.9,true,false,sdpa,adamw,0,\
plain,true,false,20.0,reserved,6000,,,,
peft-002,peft,peft@a y.json,llama-3.2-3b,L40S,1,lora,none,,32,q_proj+v_proj,bf16,4,1,768,209.9,true,false,sdpa,adamw,0,\
plain,true,false,20.8,reserved,6000,,9175040,lora_dropout+logits_kept+optimizer_states,emptied_cache
qwen-001,qwen,,qwen-7b,,1,lora,none,,8,q_proj+k_proj+v_proj,bf16,1,8,512,512,true,true,flash,adamw,0,hf,false,true,\
18.0,unstated,2000,,,,variable_lengths
swift-001,swift,,qwen-72b,A100-80GB-SXM,1,lora,none,,8,q_proj+k_proj+v_proj,bf16,1,8,512,512,true,true,flash,adamw,0,hf,\
false,true,,unstated,,false,,,variable_lengths
"""
"""Six rows: two complete, one that is skipped, one of PEFT's, one without a card or a kind, one out of memory."""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def call(*words):
    return ask("validate", *words)


def answer(table):
    result = call(table, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_json_has_the_stated_keys_and_nothing_is_lost(table):
    got = answer(table)
    block = {"n", "eligible", "mape", "median_ape", "bias", "p90", "coverage90"}
    assert got["schema"] == "roi.validation/1"
    assert (got["rows"], got["instrument"], got["units"]["memory"]) == (6, "closed-form", "GiB")
    assert set(got["memory"]) == set(got["throughput"]) == block
    assert set(got["by"]) == {"source", "method", "gpu", "kind"}
    assert set(got["by"]["source"]["rtx4080"]) == {"memory", "throughput"}
    assert set(got["by"]["kind"]["reserved"]["memory"]) == block
    assert {entry["id"] for entry in got["skipped"]} == {"peft-001"}
    assert [set(entry) for entry in got["predictions"]] == [
        {"id", "quantity", "measured", "predicted", "low", "high"}] * len(got["predictions"])
    assert (got["memory"]["n"], got["memory"]["eligible"]) == (3, 4)
    assert (got["throughput"]["n"], got["throughput"]["eligible"]) == (3, 5)
    assert got["not_predicted"][0]["id"] == "qwen-001"
    assert got["fits"] == {"failed": 1, "failed_right": 1, "ran": 3, "ran_right": 3}


def test_json_errors_follow_from_its_predictions(table):
    got = answer(table)
    stated = [p for p in got["predictions"] if p["quantity"] == "memory" and p["id"] != "qwen-001"]
    sizes = [abs(100 * (p["predicted"] / p["measured"] - 1)) for p in stated]
    assert got["memory"]["mape"] == pytest.approx(sum(sizes) / 3)
    assert stated[0]["measured"] == 3.0
    for p in got["predictions"]:
        assert p["low"] <= p["predicted"] <= p["high"]


def test_the_report_is_no_wider_than_80_columns_and_names_what_was_left_out(table):
    out = call(table).stdout
    assert max(len(line) for line in out.splitlines()) <= 80
    assert "6 measured rows: 5 used, 1 skipped" in out
    assert "1: method: none of full" in out
    assert "'full:ia3'" in out
    assert "lora_dropout 0.05" in out
    assert "peft-002" in out
    assert "out-of-memory rows predicted not to fit: 1 of 1" in out


def test_markdown_holds_the_same_figures(table):
    got = answer(table)
    out = call(table, "--format", "markdown").stdout
    assert f"| **all, kind stated** | 3 | 4 | {got['memory']['mape']:.1f} |" in out


def test_the_answer_goes_to_a_file_where_one_is_named(table, tmp_path):
    path = tmp_path / "out.json"
    assert call(table, "--format", "json", "--output", path).stdout == ""
    assert json.loads(path.read_text(encoding="utf-8")) == answer(table)


def test_a_table_of_which_nothing_is_left_exits_2_and_says_why(table):
    lines = TABLE.splitlines()
    table.write_text(f"{lines[0]}\n{lines[3]}\n")
    told = call(table)
    assert (told.exit_code, told.stdout) == (2, "")
    assert "no row of 1 could be used; line 2, row 'peft-001', method: 'full:ia3'" in told.stderr
    assert told.stderr.count("\n") == 1


def test_a_row_that_only_says_whether_it_fitted_is_listed_with_what_was_predicted(table):
    """Qwen-72B in bf16 (135 GiB) on one A100 of 79.2 GiB: it ran out of memory, and is predicted to."""
    got = answer(table)
    (row,) = got["fit_rows"]
    assert (row["id"], row["fits_measured"], row["fits_predicted"], row["reason"]) == ("swift-001", False, False, None)
    assert row["predicted"] > 135.0
    assert row["card"] == pytest.approx(79.2, abs=0.1)


def test_every_row_is_a_prediction_a_fit_or_skipped(table):
    got = answer(table)
    listed = {row["id"] for name in ("predictions", "fit_rows", "skipped", "not_predicted") for row in got[name]}
    assert len(listed) == got["rows"]


def test_second_figures_are_listed_one_by_one(table):
    """rtx4080-001 states 3.0 GiB allocated; 3.3 reserved beside it."""
    lines = TABLE.splitlines()
    table.write_text(f"{lines[0]},peak_mem_reserved_gib\n{lines[1]},3.3\n")
    got = answer(table)
    (second,) = got["second_predictions"]
    assert (second["id"], second["kind"], second["measured"]) == ("rtx4080-001", "reserved", pytest.approx(3.3))
    assert got["second"]["reserved"]["bias"] == pytest.approx(100 * (second["predicted"] / 3.3 - 1))


def test_it_says_which_speed_it_used_and_that_published_rows_are_in_the_fit(table):
    told = " ".join(call(table).stdout.split())
    assert "Speed is the roofline times a scale of the card, 0.927 in the median over the sources of 307 published rows" in told
    assert "their errors are not those of rows unseen" in told
    assert answer(table)["speed_model"] in told


def test_a_cell_that_is_not_canonical_skips_its_row_which_is_counted_with_line_column_value_and_what_is_allowed(table):
    table.write_text(table.read_text().replace(",3700,", ",fast,"))
    assert "tokens_per_s: not a number (line 2, row 'rtx4080-001': 'fast')" in " ".join(call(table).stdout.split())
    assert {"id": "rtx4080-001", "line": 2, "reason": "tokens_per_s: 'fast'; not a number"} in answer(table)["skipped"]


def test_many_rows_skipped_for_one_reason_name_the_first_with_its_line_in_text_and_markdown(table):
    lines = TABLE.splitlines()
    others = [lines[3].replace("peft-001", f"peft-{i}").replace("ia3", f"x{i}") for i in range(10, 15)]
    table.write_text("\n".join([*lines, *others]) + "\n")
    for form in ("table", "markdown"):
        told = " ".join(call(table, "--format", form).stdout.split())
        assert "(first: line 4, row 'peft-001'; 'full:ia3', 'full:x10', 'full:x11' and 3 more)" in told


def test_strict_exits_2_with_the_rows_that_cannot_be_used(table):
    told = call(table, "--strict")
    assert (told.exit_code, told.stdout) == (2, "")
    assert "1 of 6 rows cannot be used; line 4, row 'peft-001', method: 'full:ia3'; none of full, lora" in told.stderr
    table.write_text(table.read_text().replace("full:ia3,none,,,", "lora,none,,8,"))
    assert call(table, "--strict").exit_code == 0


def test_many_rows_that_cannot_be_used_are_counted(table):
    table.write_text(table.read_text().replace(",sdpa,", ",torch,"))
    told = call(table, "--strict").stderr
    assert told.count("; line ") == 3
    assert "; and 1 more" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(("old", "new", "message"), [
    ("id,source", "name,source", "has the unknown column 'name'"),
    ("rtx4080-002", "rtx4080-001", "occurs twice"),
    ("seq_len_max,", "seq_len,", "has the unknown column 'seq_len'; nearest: seq_len_max"),
    ("q_proj+v_proj", "q,v", "cells under 31 columns"),
])
def test_what_is_no_such_table_exits_2_with_the_reason(table, old, new, message):
    table.write_text(table.read_text().replace(old, new))
    result = call(table)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_a_missing_table_and_an_unknown_instrument_exit_2(tmp_path, table):
    assert call(tmp_path / "no.csv").exit_code == 2
    result = call(table, "--instrument", "wish")
    assert result.exit_code == 2
    assert "closed-form" in result.stderr


def test_the_page_shows_peers_and_our_errors_on_the_same_rows(table):
    """canifinetune estimated 5.188 GiB where 3.0 were measured (+72.9%) and 5.0054 for 4.0 (+25.1%): 49.0% on average."""
    got = json.loads(render_accuracy.run(table, "closed-form"))
    chosen = render_accuracy.subsets(table)
    assert chosen == {"adapters": ["peft-002", "qwen-001"], "large-steps": [],
                      "canifinetune": {"rtx4080-001": 5.188, "rtx4080-002": 5.0054}, "vintages": {}}
    peers = [{"quantity": "memory", "rows": "adapters", "tool": "a tool", "n": "2", "mape": "20", "median_ape": "",
              "bias": "-5", "p90": "", "low_share": "50", "date": "2026-11-24"}]
    block = {"n": 3, "median_error": 5.0, "coverage": 90.0}
    fits = {"pairs": [], "groups": [], "after_profile": {"runs on one GPU": {"n": 52, "quartiles": 5.9, "any_three": 7.1}},
            "run_left_out": block, "source_left_out": {"a": {**block, "n": 1, "coverage": 50.0}, "b": block, "all": block},
            "gpu_left_out": {}, "profile_left_in": {}}
    sources = [{"id": "qwen", "where": "a README", "licence": "Apache-2.0", "unknown": "The rest."}]
    page = render_accuracy.page({"closed-form": got}, chosen, fits, peers, sources)
    assert "| a tool | 2 | 20 | - | -5 | - | 50 |" in page
    assert "| canifinetune, as printed there | 2 | 49.0 |" in page
    assert "| **roi, closed-form** | 2 |" in page
    assert "Each source that is left out weighing alike, however many rows it has: 70.0% inside, of 2." in page
    assert "- qwen: a README (Apache-2.0). The rest." in page
    assert "- 1: method" in page


def test_variants_are_compared_with_their_vintage_s_lora():
    """Predicted 11 and 22 of 10 and 21 measured: (22/21) / (11/10) = 0.9524, so -4.76%."""
    told = ((1, "lora", "a", "lora--llama-3.2-3B-rank32"), (2, "dora", "a", "lora--llama-3.2-3B-rank32-dora"),
            (3, "dora", "b", "lora--llama-3.2-3B-rank32-dora"), (4, "full", "a", "full"))
    rows = [{"id": f"peft-{k}", "method": method, "reference": f"peft@{commit} results/{name}.json"}
            for k, method, commit, name in told]
    pairs = render_accuracy.vintages(rows)
    assert pairs == {"peft-2": "peft-1"}
    kept = {"predictions": [{"id": "peft-1", "quantity": "memory", "predicted": 11.0, "measured": 10.0},
                            {"id": "peft-2", "quantity": "memory", "predicted": 22.0, "measured": 21.0}]}
    assert "| **roi, x** | 1 | 4.8 | 4.8 | -4.8 |" in render_accuracy._ratios({"x": kept}, pairs)[-1]


def test_peers_and_sources_are_complete_tables():
    docs = render_accuracy.DOCS
    for name in ("peers.csv", "sources.csv"):
        with (docs / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert rows
        assert all(None not in row and None not in row.values() for row in rows)
