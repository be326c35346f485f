"""docs/accuracy/ and the catalog of serving efficiencies hold what the committed tables give today."""

import json

import pytest
import render_accuracy
import serving_accuracy
from canonical import CELLS
from fit_serving_efficiencies import CATALOG, catalog_of, read_works

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


def leaves(found, path=""):
    """Every figure and text under where it stands, less a row's date."""
    if not isinstance(found, dict | list):
        return {path: found}
    each = found.items() if isinstance(found, dict) else enumerate(found)
    return {at: leaf for name, value in each if name != "date" for at, leaf in leaves(value, f"{path}/{name}").items()}


@pytest.mark.slow
def test_the_catalogs_serving_efficiencies_are_what_their_script_writes():
    """All rows of all engines from the committed tables; to 2%, as another machine's BLAS ends a fit elsewhere."""
    _, found = catalog_of(read_works([TABLES / f"serving-{n}.csv" for n in (1, 2)]))
    kept = json.loads(CATALOG.read_text(encoding="utf-8"))
    told, stands = leaves(found), leaves(kept)
    numbers = {path for path, leaf in stands.items() if isinstance(leaf, float)}
    assert {path: leaf for path, leaf in told.items() if path not in numbers} == {
        path: leaf for path, leaf in stands.items() if path not in numbers}
    assert {path: told[path] for path in numbers} == pytest.approx({path: stands[path] for path in numbers}, rel=0.02)
