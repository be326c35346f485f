"""`roi validate` on tables of serving runs: blocks and groups by hand, and what is printed."""

import json
from dataclasses import replace

import pytest
import render_accuracy
from asked import ask
from tables_support import SERVING, TRAINING, read_serving, write_table

from roi.answers.validate import open_table
from roi.estimate.accuracy.serving_errors import ServingEvidence, validate_serving
from roi.estimate.accuracy.serving_run import run_figures
from roi.evidence.serving_speed import serving_evidence
from roi.report.layout.blocks import render
from roi.report.validate import serving_validation_blocks, serving_validation_json
from roi.store.tables.serving_table import ServingTable
from roi.store.tables.training_table import TrainingTable

STATIC = {"source": "t", "model": "llama-2-7b", "gpu": "H100-80GB-SXM", "design": "2024", "weight_dtype": "fp16",
          "kv_dtype": "fp16", "load": "static", "isl": "128", "osl": "128", "concurrency": "8", "output_tok_per_s": "1000"}
CLOSED = {"source": "t", "model": "llama-3.1-8b", "gpu": "H200-141GB-SXM", "osl": "257", "concurrency": "8",
          "output_tok_per_s": "", "ttft_ms": "100", "tpot_ms": "8"}


@pytest.fixture
def table(tmp_path):
    return lambda *changes: read_serving(tmp_path / "t.csv", *changes)


@pytest.fixture
def validated(table):
    def one(*changes, evidence=serving_evidence):
        found = table(*changes)
        return validate_serving(found.runs, found.labels, found.skipped, evidence)
    return one


def twice_as_fast(run):
    """Evidence that predicts half the measured time or twice the rate, whatever the run: from its own figures."""
    known = serving_evidence(run)
    figures = run_figures(run, known.efficiencies, known.habits)(1.0)
    measured = run.output_tokens_per_s or 0.0
    speed = 2.0 * measured / figures.output_tokens_per_s
    scaled = {name: value * speed for name, value in vars(known.efficiencies).items() if "mbu" in name or "mfu" in name}
    scaled |= {name: value / speed for name, value in vars(known.efficiencies).items() if name.endswith("_s")}
    return ServingEvidence(replace(known.efficiencies, **scaled), known.habits, 0.9, 1.1, 0.5, 2.0, basis="twice")


def test_a_prediction_of_twice_the_rate_is_off_by_100_percent(validated):
    found = validated(STATIC, evidence=twice_as_fast).blocks["throughput"]
    assert (found.n, found.eligible) == (1, 1)
    assert (found.mape, found.bias, found.coverage90) == (pytest.approx(100.0), pytest.approx(100.0), 0.0)


def test_what_was_measured_by_oneself_is_not_in_a_prediction_and_the_answer_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    rows = str(write_table(tmp_path / "mine.csv", SERVING, *({"concurrency": str(c)} for c in (8, 16, 32))))
    before, added, after = (ask(*command, rows).stdout
                            for command in (("validate",), ("calibrate", "--add"), ("validate",)))
    assert "what you measured yourself (profiles, rows of calibrate --add) is not in them" in " ".join(before.split())
    assert "`roi size FILE.yaml` says what they did to its speed, roi validate leaves them out" in " ".join(added.split())
    assert after == before


def test_each_figure_has_its_block_and_derived_throughput_its_own(validated):
    found = validated(STATIC, CLOSED)
    assert [found.blocks[q].n for q in ("throughput", "tpot", "ttft")] == [1, 1, 1]
    assert (found.derived.n, found.derived.eligible) == (1, 1)
    assert set(found.by["group"]) == {"H100-80GB-SXM vllm-2024", "H200-141GB-SXM vllm"}
    assert found.by["engine"]["vllm"]["throughput"].eligible == 0


def test_skipped_rows_stay_eligible_and_implausible_ones_stand_apart(validated):
    found = validated(STATIC, {**STATIC, "gpu": "TPUv5"}, {**STATIC, "implausible": "true"})
    assert (found.blocks["throughput"].n, found.blocks["throughput"].eligible) == (1, 2)
    assert (found.implausible["throughput"].n, found.implausible["throughput"].eligible) == (1, 1)
    assert [row.id for row in found.skipped] == ["lab-2"]


def test_a_row_of_another_unit_stands_apart_on_both_sides_and_both_commands_tell_it_alike(tmp_path):
    """A thousandth of 600 tokens/s, of its TPOT besides, a thousand times as much, and a rate beside a TPOT of the same run."""
    others = ({}, {"output_tok_per_s": "0.6"}, {"output_tok_per_s": "", "tpot_ms": "50000"}, {"output_tok_per_s": "600000"},
              {"output_tok_per_s": "0.6", "tpot_ms": "50"})
    rows = write_table(tmp_path / "s.csv", SERVING, *({"output_tok_per_s": "600", **other} for other in others))
    body = json.loads(call(rows, "--format", "json").stdout)
    assert (body["throughput"]["n"], body["tpot"]["n"], len(body["why_implausible"])) == (1, 0, 4)
    told = [each["reason"] for each in body["why_implausible"]]
    screen, added = (" ".join(ask(*words, rows, *more).stdout.split())
                     for words, more in ((("validate",), ()), (("calibrate", "--add"), ("--profiles", tmp_path))))
    assert "Rows in no other figure: 4" in screen
    assert [why for why in told if why not in screen or why not in added] == []
    assert [why.rpartition(", or of ")[2] for why in told] == ["another unit?"] * 2 + ["more cards?", "another unit?"]


def call(path, *words):
    return ask("validate", path, *words)


def test_the_command_answers_a_serving_table_in_the_same_json(tmp_path):
    done = call(write_table(tmp_path / "s.csv", SERVING, STATIC, CLOSED), "--format", "json")
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


def test_the_report_keeps_to_80_columns(validated):
    wrong = {**STATIC, "implausible": "true", "model": "llama-3-70b", "tp": "4"}
    text = render(serving_validation_blocks(validated(STATIC, CLOSED, {**STATIC, "gpu": "TPUv5"}, wrong)))
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "1: marked implausible (row lab-4)" in text
    assert "gpu: no GPU of the catalog" in text


def test_ids_are_printed_whole_however_long_they_are(validated):
    ids = ["lab-" + "x" * 30 + "-h100_8192x1024_c512_tp4_ep1_1130", "anl-1"]
    lines = render(serving_validation_blocks(validated(*({**STATIC, "id": id} for id in ids)))).splitlines()
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


def test_every_figure_of_the_json_follows_from_its_predictions_alone(validated):
    """Two cards, a row that is implausible, and a closed loop with derived throughput."""
    wrong = {**STATIC, "implausible": "true"}
    cards = ("H100-80GB-SXM", "A100-80GB-SXM")
    rows = [{**STATIC, "concurrency": held, "gpu": card} for held in ("2", "4", "16", "64") for card in cards]
    body = json.loads(serving_validation_json(validated(*rows, wrong, CLOSED)))
    for quantity in ("throughput", "tpot", "ttft"):
        assert same(body[quantity], redone(body, quantity))
        assert same(body["implausible"][quantity], redone(body, quantity, implausible=True))
        for group in ("source", "gpu", "engine"):
            assert all(same(blocks[quantity], redone(body, quantity, **{group: name}))
                       for name, blocks in body["by"][group].items())
        for name, blocks in body["by"]["group"].items():
            gpu, engine = name.split(" ")
            assert same(blocks[quantity], redone(body, quantity, gpu=gpu, engine=engine))
    assert same(body["derived"]["throughput"], redone(body, "throughput", derived=True))
    assert body["throughput"]["n"] == 8
    assert (body["derived"]["throughput"]["n"], body["implausible"]["throughput"]["n"]) == (1, 1)
    assert sum(body["bases"].values()) == len({p["id"] for p in body["predictions"]})
    assert {p["basis"] for p in body["predictions"]} == set(body["bases"])


def test_the_json_has_null_where_nothing_was_predicted(validated):
    body = json.loads(serving_validation_json(validated(STATIC)))
    blank = dict.fromkeys(("mape", "median_ape", "bias", "p90", "coverage90"))
    assert body["tpot"] == {"n": 0, "eligible": 0, **blank}


def test_markdown_has_tables(tmp_path):
    done = call(write_table(tmp_path / "s.csv", SERVING, STATIC), "--format", "markdown")
    assert done.exit_code == 0, done.output
    assert "| **all** | 1 | 1 |" in done.output


def test_tables_are_told_apart_by_their_columns(tmp_path):
    assert isinstance(open_table(write_table(tmp_path / "s.csv", SERVING, {})), ServingTable)
    assert isinstance(open_table(write_table(tmp_path / "t.csv", TRAINING, {})), TrainingTable)


@pytest.mark.parametrize(("base", "told"), [
    ({name: SERVING[name] for name in SERVING if name != "gpu"}, "has no column 'gpu'"),
    ({name: SERVING[name] for name in SERVING if name != "engine"}, "has no column 'engine'"),
    ({("engin" if name == "engine" else name): cell for name, cell in SERVING.items()},
     "has the unknown column 'engin'; nearest: engine;"),
    ({name: SERVING[name] for name in SERVING if name != "output_tok_per_s"}, "has nothing to compare; one of the columns"),
    ({**SERVING, "gpu": "TPUv5"}, "no row of 1 could be used; line 2, row 'lab-1', gpu: 'TPUv5'"),
])
def test_a_table_of_which_nothing_can_be_used_exits_2_with_one_message(tmp_path, base, told):
    done = call(write_table(tmp_path / "s.csv", base, {}))
    assert (done.exit_code, done.stdout) == (2, "")
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_strict_exits_2_with_the_rows_that_cannot_be_used(tmp_path):
    path = write_table(tmp_path / "s.csv", SERVING, {}, {"ttft_ms": "90", "ttft_stat": "p99"})
    assert call(path).exit_code == 0
    done = call(path, "--strict")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "1 of 2 rows cannot be used; line 3, row 'lab-2', ttft_stat: 'p99'; none of mean, median" in done.stderr


def test_skipped_rows_are_told_with_line_and_id_and_a_blank_cell_as_blank(tmp_path):
    path = write_table(tmp_path / "s.csv", SERVING, {}, {"gpu": ""}, *({"output_tok_per_s": ""} for _ in range(4)))
    told = " ".join(call(path).stdout.split())
    assert "1: gpu: blank, and a row needs it (line 3, row 'lab-2': (blank))" in told
    assert "no TTFT, no TPOT (first: line 4, row 'lab-3'; (blank))" in told


def test_a_dry_run_is_for_training_tables(tmp_path):
    done = call(write_table(tmp_path / "s.csv", SERVING, {}), "--instrument", "dry-run")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--instrument dry-run: for memory of training" in done.stderr


def test_the_accuracy_page_has_the_kept_serving_answers():
    page = (render_accuracy.DOCS / "accuracy.md").read_text(encoding="utf-8")
    kept = render_accuracy.read("serving-left-out")
    block = kept["by"]["source"]["anl"]["throughput"]
    assert block["median_ape"] <= 12.0
    assert kept["by"]["source"]["sil"]["tpot"]["median_ape"] <= 12.0
    assert f"{block['n']} / {block['eligible']} | {block['mape']:.1f} | {block['median_ape']:.1f}" in page
