"""Each format that `roi quality` reads, with totals by hand."""

import csv
import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from quality_support import CANARY, DATA, pair_rows, quality, write_rows

import roi
from roi.quality.json_stream import PIECE, wanted_values

SOL = ("--incumbent", "gpt-6-sol")


def test_promptfoo_results_by_hand() -> None:
    """As captured in promptfoo/promptfoo, examples/redteam-sql-injection-agent/redteam.metrics.results.json.

    gpt-6-sol holds tests 0, 1, 2, 4 of five: 4/5. gpt-6-luna: tests 0 and 2 hold, 1 does not, 3 once of two runs (test 5 has
    the variables of test 3), and 4 gave no answer: (1 + 0 + 1 + 0.5) / 4.
    """
    found = quality(DATA / "promptfoo.json", *SOL)
    assert found.scores == {"gpt-6-sol": (5, 0.8), "gpt-6-luna": (4, 0.625)}
    assert found.left_out == {"the call failed: an error, no answer": 1}
    assert (found.data["metrics"], found.data["runs"], found.data["results_on"]) == (["success"], 2, "2026-11-20")
    assert (found.against("gpt-6-luna")["items_lost"], found.against("gpt-6-luna")["items_won"]) == (1, 1)


def test_promptfoo_weighted_scores_and_named_ones() -> None:
    """gpt-6-sol (1 + 1 + 1 + 0.25 + 1) / 5; gpt-6-luna (1 + 0.5 + 1 + (1 + 0.5) / 2) / 4; `tone` is the same in the fixture."""
    for metric in ("score", "tone"):
        found = quality(DATA / "promptfoo.json", *SOL, "--metric", metric)
        assert found.scores == {"gpt-6-sol": (5, 0.85), "gpt-6-luna": (4, 0.8125)}
    assert "has no 'speed'; there is success, score, tone" in quality(DATA / "promptfoo.json", *SOL, "--metric", "speed").error


def test_two_prompts_of_one_model_are_two_systems_and_a_warning() -> None:
    """Prompt 1 holds tests 0 and 1, prompt 2 holds 0 and 2."""
    found = quality(DATA / "promptfoo_two_prompts.jsonl", *SOL)
    assert found.scores == {"gpt-6-sol": (3, 0.666667), "gpt-6-sol (prompt 2)": (3, 0.666667)}
    assert any(each.startswith("several prompts of gpt-6-sol tried on the same items") for each in found.data["warnings"])


def test_samples_of_the_harness_by_hand() -> None:
    """As captured in EleutherAI/lm-evaluation-harness, african_nlp_benchmarks/google__gemma-2b/: three documents, two filters.

    strict-match: 2/3 and 1/3; flexible-extract: 3/3 and 2/3. The models stand in results_*.json beside the samples.
    """
    strict = quality(DATA / "harness", "--incumbent", "acme/gpt-6-sol", "--filter", "strict-match")
    assert strict.scores == {"acme/gpt-6-sol": (3, 0.666667), "acme/qwen3-8b": (3, 0.333333)}
    assert any("several filters of orders (strict-match, flexible-extract)" in each for each in strict.data["warnings"])
    assert strict.data["results_on"] == "2026-11-20"
    loose = quality(DATA / "harness", "--incumbent", "acme/gpt-6-sol", "--filter", "flexible-extract")
    assert loose.scores == {"acme/gpt-6-sol": (3, 1.0), "acme/qwen3-8b": (3, 0.666667)}


def test_one_filter_of_the_harness_is_chosen_never_taken() -> None:
    both = quality(DATA / "harness", "--incumbent", "acme/gpt-6-sol")
    assert "several (strict-match, flexible-extract); choose one with --filter" in both.error
    other = quality(DATA / "harness", "--incumbent", "acme/gpt-6-sol", "--filter", "strict")
    assert "--filter" in other.error
    assert "has no 'strict'; there is strict-match" in other.error


def test_without_sums_the_folder_names_the_harness_model_and_a_name_comes_first(tmp_path: Path) -> None:
    source = next((DATA / "harness" / "acme__gpt-6-sol").glob("samples_*"))
    for folder in ("acme__first", "acme__second", "plain"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "samples_orders.jsonl").write_text(source.read_text())
    read = [tmp_path / "acme__first", tmp_path / "acme__second", "--filter", "strict-match", "--incumbent", "acme/first"]
    assert set(quality(*read).scores) == {"acme/first", "acme/second"}
    nameless = quality(tmp_path / "plain", *read)
    assert "the model is not named" in nameless.error
    file = tmp_path / "plain" / "samples_orders.jsonl"
    assert "third" in quality(file, *read, "--system", f"{file}=third").scores


def test_a_metric_of_the_whole_task_has_no_mark_for_a_document() -> None:
    """As captured: f1 holds [target, [answer]], from which the harness makes one figure for all."""
    file = next(DATA.glob("samples_masakhaner*"))
    found = quality(file, "--incumbent", "x", "--system", f"{file}=x")
    assert found.code == 2
    assert "2 x a metric of the whole task, with no mark for a document" in found.error
    assert CANARY not in found.error


@pytest.mark.parametrize("ending", ["json", "eval"])
def test_logs_of_inspect_by_hand(ending: str) -> None:
    """Written by inspect_ai 0.3.285, two epochs. gpt-6-sol: 1, (0 + 1) / 2, 1, 0 = 2.5 of 4.

    gpt-6-luna: 1/2, 0, 1, and q4 once right and once failed: 1; 2.5 of 4 as well.
    """
    files = [DATA / "inspect" / f"{name}.{ending}" for name in ("gpt-6-sol", "gpt-6-luna")]
    found = quality(*files, "--incumbent", "gpt-6-sol", "--system", "mockllm/gpt-6-sol=gpt-6-sol")
    assert found.scores == {"gpt-6-sol": (4, 0.625), "mockllm/gpt-6-luna": (4, 0.625)}
    assert found.left_out == {"the call failed: an error, no answer": 1}
    assert (found.data["metrics"], found.data["runs"], found.data["results_on"]) == (["match"], 2, "2026-11-26")


def test_a_log_of_inspect_is_of_the_system_that_its_file_is_said_to_be(tmp_path: Path) -> None:
    """Two runs of one model, as of two prompts: they were copies of each other, and the option was taken and did nothing."""
    for name, marks in (("old", ("C", "I")), ("new", ("C", "C"))):
        samples = [{"id": k, "epoch": 1, "scores": {"match": {"value": mark}}} for k, mark in enumerate(marks)]
        (tmp_path / f"{name}.json").write_text(json.dumps({"eval": {"model": "m", "task": "t"}, "samples": samples}))
    named = ("--system", "old.json=today", "--system", "new.json=next")
    assert quality(tmp_path, "--incumbent", "today", *named).scores == {"next": (2, 1.0), "today": (2, 0.5)}
    rows = write_rows(tmp_path / "rows.jsonl", pair_rows(1, 1, 1, 1))
    assert "--system: rows.jsonl names the system of each row; --system OLD=NEW renames one of today, other" in quality(
        rows, "--incumbent", "today", "--system", "rows.jsonl=x").error


@pytest.mark.parametrize("ending", ["json", "eval"])
def test_a_log_of_inspect_without_samples_is_left_out_and_told(ending: str, tmp_path: Path) -> None:
    """A run that ended before its first sample stood beside others, and a whole folder was refused for it."""
    empty, log = tmp_path / f"a.{ending}", {"status": "error", "eval": {"model": "m", "task": "orders"}}
    if ending == "json":
        empty.write_text(json.dumps(log))
    else:
        with zipfile.ZipFile(empty, "w") as archive:
            archive.writestr("header.json", json.dumps(log))
    named = f"{empty}: a log of Inspect without a sample (status error)"
    assert quality(empty).error == f"roi: FILES: no row that counts: {named}"
    files = [empty, *(DATA / "inspect" / f"{name}.json" for name in ("gpt-6-sol", "gpt-6-luna"))]
    found = quality(*files, "--incumbent", "mockllm/gpt-6-sol")
    assert (found.code, len(found.scores), len(found.data["sources"])) == (0, 2, 2)
    assert f"{named}, left out" in found.data["warnings"]
    assert f"--strict: {named};" in quality(*files, "--incumbent", "mockllm/gpt-6-sol", "--strict").error


def test_an_older_archive_of_inspect_has_no_summaries(tmp_path: Path) -> None:
    for name in ("gpt-6-sol", "gpt-6-luna"):
        with zipfile.ZipFile(DATA / "inspect" / f"{name}.eval") as old, zipfile.ZipFile(tmp_path / f"{name}.eval", "w") as new:
            for each in old.namelist():
                if "summaries" not in each:
                    new.writestr(each, old.read(each))
    found = quality(tmp_path, "--incumbent", "mockllm/gpt-6-sol")
    assert found.scores == {"mockllm/gpt-6-sol": (4, 0.625), "mockllm/gpt-6-luna": (4, 0.625)}


def test_several_scorers_partial_marks_and_scores_by_name_of_inspect(tmp_path: Path) -> None:
    """C and P are 1 and 0.5; a scorer with several values is asked for as scorer/name."""
    for name, marks in (("a", ("C", "P")), ("b", ("N", "I"))):
        samples = [{"id": k, "epoch": 1, "input": CANARY, "scores": {"match": {"value": mark},
                    "judge": {"value": {"tone": 0.25, "facts": True}, "explanation": CANARY}}} for k, mark in enumerate(marks)]
        log = {"version": 2, "eval": {"model": name, "task": "t", "created": "2026-11-20T00:00:00Z"}, "samples": samples}
        (tmp_path / f"{name}.json").write_text(json.dumps(log))
    assert "several (match, judge/tone, judge/facts); choose one with --metric" in quality(tmp_path, "--incumbent", "a").error
    assert quality(tmp_path, "--incumbent", "a", "--metric", "match").scores == {"a": (2, 0.75), "b": (2, 0.0)}
    assert quality(tmp_path, "--incumbent", "a", "--metric", "judge/tone").scores == {"a": (2, 0.25), "b": (2, 0.25)}


def test_scores_of_langfuse_by_hand() -> None:
    """Blob storage, by the field reference of langfuse/langfuse-docs: three traces a run, one metric and remarks.

    `correct`: 2/3 and 1/3. Remarks are texts whose value is always 0.
    """
    assert "several (correct, remark); choose one with --metric" in quality(DATA / "langfuse_scores.csv", *SOL).error
    found = quality(DATA / "langfuse_scores.csv", *SOL, "--metric", "correct")
    assert found.scores == {"gpt-6-sol": (3, 0.666667), "gpt-6-luna": (3, 0.333333)}
    assert found.left_out == {}
    remarks = quality(DATA / "langfuse_scores.csv", *SOL, "--metric", "remark")
    assert "6 x no score: empty, or a text that says neither right nor wrong" in remarks.error


def test_categories_of_langfuse_are_read_by_their_words() -> None:
    """A page of the API: correct correct incorrect; correct incorrect, and `unsure` says neither."""
    found = quality(DATA / "langfuse_scores.json", *SOL)
    assert found.scores == {"gpt-6-sol": (3, 0.666667), "gpt-6-luna": (2, 0.5)}
    assert found.left_out == {"no score: empty, or a text that says neither right nor wrong": 1}


def test_pages_of_the_third_api_of_langfuse_name_what_they_score_in_a_subject(tmp_path: Path) -> None:
    """By its definition (fern/apis/server/definition/scores-v3.yml): the value is the category, or a truth value.

    a: right on traces 1 and 3 of 0 to 3. b: scores of observations of the same traces, all right. An experiment has no trace.
    """
    def page(name: str, **score: object) -> None:
        rows = [{"id": f"s{k}", "projectId": "p", "name": "verdict", "timestamp": "2026-11-20T10:00:00Z", "source": "EVAL",
                 "comment": CANARY, **{key: each[k] for key, each in score.items()}} for k in range(4)]
        (tmp_path / f"{name}.json").write_text(json.dumps({"data": rows, "meta": {"limit": 50}}))

    page("a", dataType=["CATEGORICAL"] * 4, value=["incorrect", "correct"] * 2,
         subject=[{"kind": "trace", "id": f"t{k}"} for k in range(4)])
    seen = [{"kind": "observation", "id": f"o{k}", "traceId": f"t{k}"} for k in range(3)]
    page("b", dataType=["BOOLEAN"] * 4, value=[True] * 4, subject=[*seen, {"kind": "experiment", "id": "e"}])
    named = ("--system", "a.json=a", "--system", "b.json=b", "--incumbent", "a")
    found = quality(tmp_path, *named)
    assert found.scores == {"a": (4, 0.5), "b": (3, 1.0)}
    assert found.left_out == {"no id of an item, or one of more than 200 characters": 1}
    assert "to tell the system by; --system a.json=NAME" in quality(tmp_path, "--incumbent", "a").error


def test_what_stands_behind_the_rows_of_a_document_is_no_row(tmp_path: Path) -> None:
    """promptfoo's timestamp after its results: the same scores, and the same day."""
    whole = json.loads((DATA / "promptfoo.json").read_text())
    whole["results"]["timestamp"] = whole["results"].pop("timestamp")
    (tmp_path / "r.json").write_text(json.dumps(whole))
    found, before = quality(tmp_path / "r.json", *SOL), quality(DATA / "promptfoo.json", *SOL)
    assert (found.scores, found.data["results_on"]) == (before.scores, "2026-11-20")


def test_a_conversation_in_the_metadata_of_promptfoo_is_a_cluster(tmp_path: Path) -> None:
    """Ten conversations of three tests."""
    results = [{"testIdx": k, "success": k % 4 > 0, "provider": {"id": name}, "vars": {"q": f"{CANARY}{k}"}, "failureReason": 0,
                "testCase": {"metadata": {"conversationId": f"c{k // 3}"}}} for k in range(30) for name in ("a", "b")]
    (tmp_path / "r.json").write_text(json.dumps({"results": {"version": 3, "results": results}}))
    assert quality(tmp_path / "r.json", "--incumbent", "a").data["clusters"] == 10


@pytest.mark.parametrize("beside", [(), ("step", "loss"), ("sample_id",), ("eval_id",), ("sample_id", "id")])
def test_an_epoch_is_a_repeat_beside_columns_of_inspect_and_else_asked_for(beside: tuple[str, ...], tmp_path: Path) -> None:
    """Two epochs of 30 items: b is right in the second alone. As repeats that is a half; as checkpoints, 0 and 1.

    Columns of Inspect's samples_df, as a public script exports it: sample_id, eval_id, id, epoch. One epoch decides nothing.
    """
    rows = [{"item": k, "model": name, "epoch": epoch, "score": int(name == "a" or epoch == 2), "who": f"{name}-{epoch}",
             **dict.fromkeys(beside, f"{k}-{epoch}")} for k in range(30) for name in ("a", "b") for epoch in (1, 2)]
    write_rows(tmp_path / "r.jsonl", rows)
    halves = {"a": (30, 1.0), "b": (30, 0.5)}
    found = quality(tmp_path / "r.jsonl", "--incumbent", "a", "--map", "item=item")
    if {"eval_id"} <= {*beside} or {"sample_id", "id"} <= {*beside}:
        assert found.scores == halves
    else:
        assert "r.jsonl, line 2: 'epoch' may be a repeat of the item (--map run=epoch, whose mean counts), or a" in found.error
    for option in (("--map", "run=epoch"), ("--repeats",)):
        assert quality(tmp_path / "r.jsonl", "--incumbent", "a", "--map", "item=item", *option).scores == halves
    apart = quality(tmp_path / "r.jsonl", "--incumbent", "a-1", "--map", "item=item", "--map", "system=who")
    assert apart.scores == {"a-1": (30, 1.0), "a-2": (30, 1.0), "b-1": (30, 0.0), "b-2": (30, 1.0)}
    write_rows(tmp_path / "one.jsonl", [row for row in rows if row["epoch"] == (1 if row["model"] == "a" else 2)])
    assert quality(tmp_path / "one.jsonl", "--incumbent", "a", "--map", "item=item").scores == {"a": (30, 1.0), "b": (30, 1.0)}


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "\ufeffsep=;"])
def test_a_first_line_for_excel_names_what_stands_between_cells(first: str, tmp_path: Path) -> None:
    """Commas in a cell decide nothing: 40 items, of which b has 30."""
    rows = [f"{k};{name};{int(name == 'a' or k < 30)};a, b, c" for k in range(40) for name in ("a", "b")]
    (tmp_path / "r.csv").write_text("\r\n".join((first, "id;system;score;why", *rows)))
    assert quality(tmp_path / "r.csv", "--incumbent", "a").scores == {"a": (40, 1.0), "b": (40, 0.75)}


def test_own_rows_as_lines_list_and_table_are_the_same(tmp_path: Path) -> None:
    """3 right on both, 1 on today alone, 2 on the other alone, 4 on none: 4/10 and 5/10."""
    rows = pair_rows(3, 1, 2, 4)
    write_rows(tmp_path / "a.jsonl", rows)
    (tmp_path / "b.json").write_text(json.dumps(rows, indent=1))
    (tmp_path / "c.json").write_text(json.dumps({"data": rows}))
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    for name, delimiter in (("e.csv", ","), ("f.csv", ";"), ("g.tsv", "\t")):
        with (tmp_path / name).open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file, delimiter=delimiter)
            writer.writerow(["Item ID", "Model", "Is correct", "answer"])
            writer.writerows([row["id"], row["system"], bool(row["score"]), f'{CANARY}, "so"\nit went'] for row in rows)
    for file in sorted(tmp_path.iterdir()):
        found = quality(file, "--incumbent", "today")
        assert found.scores == {"today": (10, 0.4), "other": (10, 0.5)}, file
        against = found.against("other")
        assert against["agreement"] == {"n11": 3.0, "n10": 1.0, "n01": 2.0, "n00": 4.0}
        assert (against["items_lost"], against["items_won"], against["mcnemar_p"]) == (1, 2, 1.0)


def test_other_columns_and_one_file_a_system_are_named(tmp_path: Path) -> None:
    for name, mark in (("a", "right"), ("b", "wrong")):
        write_rows(tmp_path / f"{name}.jsonl", [{"case": f"c{k}", "verdict": mark} for k in range(4)])
    read = [tmp_path, "--map", "item=case", "--map", "score=verdict", "--incumbent", "new"]
    assert "no column for the system" in quality(*read).error
    named = quality(*read, "--system", "a.jsonl=old", "--system", "b.jsonl=new")
    assert named.scores == {"new": (4, 0.0), "old": (4, 1.0)}


def test_a_path_with_dots_names_a_value_inside_of_another(tmp_path: Path) -> None:
    """As Braintrust exports an experiment: `scores` by name, the case's own id in the metadata; ids of spans never pair."""
    rows = [{"id": f"span-{name}-{k}", "experiment": name, "scores": {"Factuality": mark}, "metadata": {"case": f"c{k}"}}
            for name, mark in (("a", 1), ("b", 0.25)) for k in range(4)]
    path = write_rows(tmp_path / "a.jsonl", rows)
    read = [path, "--map", "system=experiment", "--map", "score=scores.Factuality", "--incumbent", "a"]
    assert quality(*read, "--map", "item=metadata.case").scores == {"a": (4, 1.0), "b": (4, 0.25)}
    assert "has no column 'metadata.cas'; nearest: metadata.case" in quality(*read, "--map", "item=metadata.cas").error


@pytest.mark.parametrize("beside", [{"testFile": "x"}, None])
def test_runs_of_deepeval_are_read_with_their_columns_named(tmp_path: Path, beside: dict[str, str] | None) -> None:
    """Fields as of deepeval's test_run/api.py: a run as it is exported, and under testRunData as the latest one is kept."""
    for name, success in (("a", True), ("b", False)):
        cases = [{"name": f"test_case_{k}", "input": CANARY, "success": success,
                  "metricsData": [{"name": "Correctness", "score": 0.5, "success": success}]} for k in range(4)]
        run = {"testCases": cases, "conversationalTestCases": []}
        (tmp_path / f"{name}.json").write_text(json.dumps({"testRunData": run} if beside is None else beside | run))
    read = [tmp_path, "--map", "item=name", "--system", "a.json=a", "--system", "b.json=b", "--incumbent", "a"]
    assert quality(*read, "--map", "score=success").scores == {"a": (4, 1.0), "b": (4, 0.0)}
    assert quality(*read, "--map", "score=metricsData.0.score").scores == {"a": (4, 0.5), "b": (4, 0.5)}
    assert "has no column 'metricsData.1.score'" in quality(*read, "--map", "score=metricsData.1.score").error


def test_a_metric_names_the_column_of_the_score(tmp_path: Path) -> None:
    rows = [{"id": k, "system": name, "f1": 0.5 if name == "a" else 0.75} for k in range(4) for name in "ab"]
    path = write_rows(tmp_path / "a.jsonl", rows)
    assert quality(path, "--incumbent", "a", "--metric", "f1").scores == {"a": (4, 0.5), "b": (4, 0.75)}
    assert "--metric: " in quality(path, "--incumbent", "a", "--metric", "f2", "--map", "score=f1", "--map", "item=id").error


def test_words_for_right_and_wrong_and_numbers_in_text(tmp_path: Path) -> None:
    marks = ["PASS", "fail", "0.5", True, 1, " correct ", "I", None, "maybe"]
    rows = [{"id": k, "system": name, "score": mark} for k, mark in enumerate(marks) for name in "ab"]
    found = quality(write_rows(tmp_path / "a.jsonl", rows), "--incumbent", "a")
    assert found.scores["a"] == (7, round((1 + 0 + 0.5 + 1 + 1 + 1 + 0) / 7, 6))
    assert found.left_out == {"no score: empty, or a text that says neither right nor wrong": 4}


def test_a_comma_before_decimals_is_read_as_a_point(tmp_path: Path) -> None:
    """Spreadsheets of half of Europe write 0,5; left out, a mean of 1 and 0 alone would stand: (1 + 0 + 0.5 + 0.75) / 4."""
    lines = [f"{k};{name};{mark};1,5" for k, mark in enumerate(("1", "0", "0,5", "0,75")) for name in "ab"]
    (tmp_path / "a.csv").write_text("\n".join(["id;system;score;weight", *lines]))
    found = quality(tmp_path / "a.csv", "--incumbent", "a")
    assert (found.scores["a"], found.left_out) == ((4, 0.5625), {})


def test_a_label_beside_a_prediction_is_not_taken_for_the_score(tmp_path: Path) -> None:
    """Classes 0 and 1 would be read as wrong and right: every system would have the share of class 1, and no difference."""
    rows = [{"id": k, "model": name, "label": k % 2, "prediction": 1} for k in range(4) for name in "ab"]
    path = write_rows(tmp_path / "a.jsonl", rows)
    refused = quality(path, "--incumbent", "a")
    assert (refused.code, "'label' beside 'prediction' may be the right answer" in refused.error) == (2, True)
    assert quality(path, "--incumbent", "a", "--map", "score=label").scores == {"a": (4, 0.5), "b": (4, 0.5)}
    judged = write_rows(tmp_path / "b.jsonl", [{**row, "correct": 1} for row in rows])
    assert quality(judged, "--incumbent", "a").scores == {"a": (4, 1.0), "b": (4, 1.0)}


def test_a_document_longer_than_what_is_read_at_a_time_is_read_whole(tmp_path: Path) -> None:
    """Results of 100 kB each, so that pieces end inside of them."""
    results = [{"testIdx": k, "success": k % 2 == 0, "provider": {"id": name}, "vars": {"q": f"{CANARY}{k}"},
                "failureReason": 0, "response": {"output": "x" * (PIECE // 10)}} for k in range(20) for name in ("a", "b")]
    (tmp_path / "r.json").write_text(json.dumps({"results": {"version": 3, "results": results}}))
    assert quality(tmp_path / "r.json", "--incumbent", "a").scores == {"a": (20, 0.5), "b": (20, 0.5)}


def test_values_of_a_document_are_found_wherever_pieces_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    document = {"eval": {"m": 12}, "x": [1, {"samples": [9]}], "results": {"timestamp": "t", "results": [1, 23, {}, []]},
                "samples": []}
    wanted = frozenset({("eval",), ("results", "timestamp"), ("results", "results", "*"), ("samples", "*")})
    for size in (1, 2, 3, 7, 1000):
        monkeypatch.setattr("roi.quality.json_stream.PIECE", size)
        for indent in (None, 2):
            (tmp_path / "d.json").write_text(json.dumps(document, indent=indent))
            with (tmp_path / "d.json").open() as stream:
                found = list(wanted_values(stream, wanted, "d"))
            assert [value for path, value in found if path[0] == "results"] == ["t", 1, 23, {}, []]
            assert found[0] == (("eval",), {"m": 12})


def wide(path: Path) -> Path:
    """Four questions, a column for each of two systems; luna has no mark on the last."""
    path.write_text("question;gpt-6-sol;gpt-6-luna;team\nq1;1;1;a\nq2;WAHR;0;a\nq3;0;yes;b\nq4;1;;b\n")
    return path


def test_a_table_with_a_column_for_each_system_is_read_by_their_names(tmp_path: Path) -> None:
    """Sol is right on three of four, luna on two of three; a rename is of a system like any other."""
    columns = ("--map", "item=question", "--map", "score=gpt-6-sol", "--map", "score=gpt-6-luna")
    found = quality(wide(tmp_path / "w.csv"), *columns, "--incumbent", "gpt-6-sol", "--system", "gpt-6-luna=luna")
    assert found.scores == {"gpt-6-sol": (4, 0.75), "luna": (3, round(2 / 3, 6))}
    assert found.data["metrics"] == ["score"]
    assert sum(found.left_out.values()) == 1
    by_python = roi.measure_quality(tmp_path / "w.csv", incumbent="gpt-6-sol", columns={
        "item": "question", "score": ["gpt-6-sol", "gpt-6-luna"]})
    assert by_python["scores"]["gpt-6-luna"]["items"] == 3


@pytest.mark.parametrize(("words", "said"), [
    (("score=gpt-6-sol", "score=gpt-6-lune"), "--map: {file} has no column 'gpt-6-lune'; nearest: gpt-6-luna"),
    (("score=gpt-6-sol", "score=gpt-6-sol"), "--map: score=gpt-6-sol is given twice"),
    (("score=gpt-6-sol", "score=gpt-6-luna", "system=team"), "{file}: a column for the system, and several of scores"),
])
def test_columns_of_systems_that_cannot_be_meant_are_refused(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    file = wide(tmp_path / "w.csv")
    found = quality(file, "--incumbent", "gpt-6-sol", "--map", "item=question", *(x for word in words for x in ("--map", word)))
    assert (found.code, said.format(file=file) in found.error) == (2, True), found.error


def test_a_column_called_verdict_is_the_score(tmp_path: Path) -> None:
    marks = (("a", "Correct"), ("b", "incorrect"))
    rows = [{"id": k, "model": name, "verdict": word} for k in range(3) for name, word in marks]
    assert quality(write_rows(tmp_path / "r.jsonl", rows), "--incumbent", "a").scores == {"a": (3, 1.0), "b": (3, 0.0)}


def test_a_log_whose_first_line_is_a_head_is_read_by_the_columns_of_its_rows(tmp_path: Path) -> None:
    """OpenAI's evals log: a line of what is run, samplings between, and matches. It was refused: its head has no sample."""
    for name, right in (("sol", (1, 1)), ("luna", (1, 0))):
        lines: list[dict[str, Any]] = [{"spec": {"completion_fns": [name]}}]
        for k, mark in enumerate(right):
            lines += [{"sample_id": f"t.{k}", "type": "sampling", "data": {"prompt": CANARY}},
                      {"sample_id": f"t.{k}", "type": "match", "data": {"correct": bool(mark), "picked": CANARY}}]
        write_rows(tmp_path / f"{name}.jsonl", lines)
    found = quality(tmp_path, "--map", "item=sample_id", "--map", "score=data.correct", "--system", "sol.jsonl=sol",
                    "--system", "luna.jsonl=luna", "--incumbent", "sol")
    assert found.scores == {"sol": (2, 1.0), "luna": (2, 0.5)}
