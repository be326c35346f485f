"""A comparison that an earlier version saved loads and gives the figures in it, but where a rule was corrected."""

import json
from pathlib import Path

import pytest

from roi.answers.saved import read_saved, replay
from roi.economics.decision.comparison import Comparison

SAVED = Path(__file__).parents[1] / "data" / "comparison-751bca8.json"
"""Written by roi at commit 751bca8, schema roi.comparison/1; figures other than the central NPVs were cut out."""
CORRECTED: dict[str, str] = {}
"""Options whose central NPV moved since, with the rule that was corrected."""


@pytest.fixture(scope="module")
def again() -> Comparison:
    saved = read_saved(SAVED)
    assert saved is not None
    return replay(saved)


def test_every_option_is_there_again_and_works_or_not_as_it_did(again: Comparison) -> None:
    body = json.loads(SAVED.read_text(encoding="utf-8"))
    assert [o["id"] for o in body["options"] if o["feasible"]] == [o.id for o in again.options]
    assert [o["id"] for o in body["options"] if not o["feasible"]] == [o.id for o in again.infeasible]


def test_central_npvs_are_those_saved_to_the_cent_where_no_rule_was_corrected(again: Comparison) -> None:
    body = json.loads(SAVED.read_text(encoding="utf-8"))
    found = {o.id: o.npv_usd for o in again.options}
    for option in body["options"]:
        if option["feasible"] and option["id"] not in CORRECTED:
            assert found[option["id"]] == pytest.approx(option["npv_usd"], abs=0.01), option["id"]


def test_its_case_carries_no_alarm_and_the_verdict_stands(again: Comparison) -> None:
    assert again.alarms == ()
    assert again.verdict.recommended == json.loads(SAVED.read_text(encoding="utf-8"))["recommended"]
