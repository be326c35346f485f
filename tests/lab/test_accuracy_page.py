"""docs/accuracy/ holds what the committed tables give today."""

import json

import pytest
import render_accuracy
import serving_accuracy
from canonical import CELLS

from roi.answers.validate import validate_table
from roi.report.validate import serving_validation_json

TABLES = CELLS.parent / "tables"


def same(found, kept):
    return all(found[key] == (value if value is None else pytest.approx(value, rel=1e-6)) for key, value in kept.items())


@pytest.mark.full
def test_the_kept_answer_on_training_runs_is_the_one_of_today(tmp_path):
    rows = render_accuracy.one_table([TABLES / f"training-{n}.csv" for n in (1, 2)], tmp_path / "both.csv")
    found, kept = json.loads(render_accuracy.run(rows, "closed-form")), render_accuracy.read("closed-form")
    assert same(found["memory"], kept["memory"])
    assert same(found["throughput"], kept["throughput"])
    assert (found["fits"], found["skipped"]) == (kept["fits"], kept["skipped"])
    assert render_accuracy.subsets(TABLES / "training-1.csv") == render_accuracy.read("subsets")


@pytest.mark.full
def test_the_kept_answer_on_serving_runs_is_the_one_of_today():
    found = json.loads(serving_validation_json(validate_table(TABLES / "serving-2.csv")))
    kept = render_accuracy.read(serving_accuracy.SERVING)
    for source, blocks in found["by"]["source"].items():
        assert all(same(blocks[name], kept["by"]["source"][source][name]) for name in serving_accuracy.QUANTITIES)
    assert (found["rows"], kept["rows"]) == (478, 4400)
