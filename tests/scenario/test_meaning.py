"""What the schema says of a field, by its path or the end of it."""

import pytest

from roi.errors import InputError, UnknownName
from roi.scenario.meaning import field_paths, meaning_of


def test_a_quantity_has_unit_bounds_and_a_default_with_its_reason():
    growth = meaning_of("workload.growth_per_year")
    assert (growth.unit, growth.bounds, growth.needed) == ("1/year", "at least -0.99, at most 10", False)
    assert growth.default.source == "no trend known; both ways, wider upward"
    assert meaning_of("requests_per_day").needed
    assert meaning_of("requests_per_day").bounds == "above 0"


def test_an_optional_quantity_has_the_unit_and_bounds_of_its_value():
    peak = meaning_of("workload.peak_to_mean")
    assert (peak.unit, peak.bounds, peak.default) == ("ratio", "at least 1, at most 10,000", None)


def test_an_entry_has_a_name_that_may_hold_points():
    assert meaning_of("quality.scores.gpt-4.1").bounds == "at least 0, at most 1"
    assert meaning_of("quality.scores.gpt-4.1.low").meaning == "5th percentile of the score."
    assert meaning_of("tokens.gpt-4.1.ratio").unit == "ratio"
    assert meaning_of("tokens").fields[0] == "NAME.ratio"


def test_an_item_of_a_list_has_a_number():
    for path in ("workload.lengths.0.share", "workload.lengths.share"):
        assert meaning_of(path).meaning == "Share of all requests."


def test_choices_are_listed():
    assert meaning_of("gates.one_task_type").kind == "one of yes, no, unknown"
    assert meaning_of("incumbent.uses_cache").kind == "true or false"


def test_every_path_of_the_schema_has_a_meaning():
    for path in field_paths():
        assert meaning_of(path).meaning, path


def test_a_wrong_name_is_answered_with_the_nearest_and_an_end_of_several_paths_with_all_of_them():
    with pytest.raises(UnknownName, match=r"'training\.epoch'; nearest: training\.epochs"):
        meaning_of("training.epoch")
    with pytest.raises(InputError, match=r"people\.setup_hours\.api, people\.run"):
        meaning_of("api")
    with pytest.raises(UnknownName, match="'comprae'; nearest: compare"):
        meaning_of("comprae", ["compare"])
