"""Business cases that a finance person can read: tests/cases/*.yaml, each a scenario with the figures worked out in it."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.option_result import OptionResult
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario
from roi.scenario.yaml import read_yaml

CASES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
MIDDLE = 12
"""The month whose lines are compared, counted from 0: everything is live, nothing is retrained or replaced."""


@cache
def case(path: Path) -> tuple[Comparison, dict[str, Any]]:
    data = read_yaml(path)
    expected = data.pop("expect")
    return compare(resolve(check_scenario(data)).case), expected


def agrees(found: object, expected: object) -> bool:
    """Equal, or as near as the case says."""
    if isinstance(expected, dict):
        assert isinstance(found, (int, float))
        return bool(abs(found - expected["is"]) <= expected["within"])
    return found == expected


def figure(option: OptionResult, name: str) -> object:
    """A field of the option, or the size of its fleet."""
    if name == "gpus":
        assert option.fleet is not None
        return option.fleet.gpus
    return getattr(option, name)


def test_they_are_numbered() -> None:
    assert sorted(int(path.stem.partition("_")[0]) for path in CASES) == list(range(1, len(CASES) + 1))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_verdict_is_the_one_that_the_case_argues_for(path: Path) -> None:
    c, expected = case(path)
    assert (c.verdict.recommended, c.verdict.decision) == (expected["recommended"], expected["decision"])
    assert c.leader.kind == expected.get("kind", c.leader.kind)
    assert {o.id for o in c.infeasible} >= set(expected.get("infeasible", []))
    assert [o.option for o in c.verdict.passed_over if o.reason == "not likely"] == expected.get("passed_over", [])


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_figures_are_those_worked_out_by_hand(path: Path) -> None:
    c, expected = case(path)
    options = {o.id: o for o in c.options}
    for id, figures in expected["options"].items():
        option = options[id]
        lines = {line.name: line.monthly_usd[MIDDLE] for line in option.lines}
        for name, value in figures.items():
            if name == "lines":
                wrong = {n: lines[n] for n, v in value.items() if not agrees(lines[n], v)}
                assert wrong == {}, (id, value)
            else:
                found = figure(option, name)
                assert agrees(found, value), f"{id} {name}: {found} is not {value}"


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_break_evens_are_those_that_the_case_names(path: Path) -> None:
    c, expected = case(path)
    found = {(b.option, b.baseline, b.basis, b.counts): b for b in c.break_even}
    for row in expected.get("break_even", []):
        b = found[row["option"], row["baseline"], row["basis"], row.get("counts", "errors")]
        wrong = {name: getattr(b, name) for name, value in row.items() if not agrees(getattr(b, name), value)}
        assert wrong == {}, row


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_signposts_are_those_that_the_case_works_out(path: Path) -> None:
    c, expected = case(path)
    for row in expected.get("signposts", []):
        key = {name: row[name] for name in ("option", "rival", "quantity", "direction")}
        (post,) = (s for s in c.signposts if {name: getattr(s, name) for name in key} == key)
        assert agrees(post.threshold, row["threshold"]), post
