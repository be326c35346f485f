"""The long tables say what the comparison says: every option, month, line and fact, once."""

import math

import pytest
from random_scenarios import random_case

from roi.economics.decision.comparison import compare
from roi.errors import UnknownName
from roi.report.comparison.findings import break_even
from roi.report.comparison.option_figures import gpu_count
from roi.report.comparison.options_table import cost_tree
from roi.report.comparison.tables import TABLES, table
from roi.report.layout.blocks import render
from roi.report.layout.wording import option_label, requests
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario


@pytest.fixture(scope="module")
def comparison():
    return compare(resolve(load_scenario(overrides=("draws=64",))).case)


def rows(comparison, name):
    found = table(comparison, name)
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def test_options_has_a_row_for_each_option_of_the_case_and_the_figures_of_the_feasible_ones(comparison):
    found = rows(comparison, "options")

    assert [row["id"] for row in found] == list(comparison.case.options)
    assert [row["reason"] for row in found if not row["feasible"]] == [o.reason for o in comparison.infeasible]
    feasible = [row for row in found if row["feasible"]]
    assert [row["npv_usd"] for row in feasible] == [o.npv_usd for o in comparison.options]
    assert [row["npv_p90"] for row in feasible] == [o.npv_p10_p50_p90[2] for o in comparison.options]
    assert [row["fleet_gpus"] for row in feasible] == [o.fleet.gpus if o.fleet else None for o in comparison.options]


def test_the_months_of_an_option_sum_to_its_cost_and_their_discounted_savings_to_its_npv(comparison):
    found = rows(comparison, "months")
    for o in comparison.options:
        mine = [row for row in found if row["option"] == o.id]
        assert [row["month"] for row in mine] == list(range(len(o.monthly_usd) + 1))
        assert sum(row["cost_usd"] for row in mine) == pytest.approx(o.tco_usd)
        assert sum(row["saving_usd"] * row["discount_factor"] for row in mine) == pytest.approx(o.npv_usd, abs=1e-6)
        assert mine[-1]["cumulative_saving_usd"] == pytest.approx(comparison.options[0].tco_usd - o.tco_usd, abs=1e-6)


def test_the_lines_of_a_month_sum_to_the_month_and_each_line_has_its_arithmetic_once(comparison):
    lines, sums = rows(comparison, "lines"), {}
    for row in lines:
        sums[row["option"], row["month"]] = sums.get((row["option"], row["month"]), 0.0) + row["usd"]
    for row in rows(comparison, "months"):
        assert sums[row["option"], row["month"]] == pytest.approx(row["cost_usd"], abs=1e-6)
    wrong = {(o.id, k): x for o in comparison.options for line in o.lines if "wrong" in line.name
             for k, x in enumerate((line.upfront_usd, *line.monthly_usd))}
    for row in rows(comparison, "months"):  # nothing of these options is given up, so that all else is cash
        assert row["cost_usd"] - row["cash_usd"] == pytest.approx(wrong[row["option"], row["month"]], abs=1e-6)
    assert sum(row["arithmetic"] is not None for row in lines) == sum(len(o.lines) for o in comparison.options)
    assert {row["cash"] for row in lines if row["kind"] == "wrong-answers"} == {False}
    assert {row["line"][:4] for row in lines if row["kind"] == "api"} == {"API "}


def test_facts_and_drivers_are_those_of_the_comparison(comparison):
    assert [row["path"] for row in rows(comparison, "facts")] == list(comparison.case)
    drivers = rows(comparison, "drivers")
    assert [row["path"] for row in drivers] == [d.path for d in comparison.drivers]
    assert [row["high"] for row in drivers] == [comparison.case[d.path].high for d in comparison.drivers]
    assert {row["option"] for row in drivers} == {comparison.driver_option}


@pytest.mark.parametrize("name", TABLES)
def test_cells_are_plain_values_and_no_column_is_named_twice(comparison, name):
    found = table(comparison, name)
    assert len(set(found.columns)) == len(found.columns)
    for row in found.rows:
        assert len(row) == len(found.columns)
        assert all(x is None or type(x) in {bool, int, float, str, tuple} for x in row)
        assert not any(isinstance(x, float) and math.isnan(x) for x in row)


def test_an_unknown_table_names_those_there_are(comparison):
    with pytest.raises(UnknownName, match="unknown table 'month'; nearest: months"):
        table(comparison, "month")


@pytest.mark.full
def test_the_break_evens_say_up_to_which_volume_an_option_wins_that_wins_in_between():
    """Owned cards without a spill hold no more than so much; the recommended option has no break-even against itself."""
    c = compare(random_case(11))
    own = [b for b in c.break_even if (b.option, b.counts, b.basis) == ("own-hardware:qwen3-8b+lora", c.verdict.counts, "pv")]
    told = {b.baseline: (requests(b.first), f"to {requests(b.until)}") for b in own if b.until is not None}
    assert set(told) == {"stay", "recommended"}
    lines = render(break_even(c)).splitlines()
    cells = " ".join(lines[lines.index(option_label(c.case, own[0].option)) + 1].split())
    assert all(f"{first} {until}" in cells for first, until in told.values())
    at = next(k for k, line in enumerate(lines) if line.startswith(option_label(c.case, c.verdict.leader)))
    assert any(line.rstrip().endswith("itself") for line in lines[at:at + 2])  # below a label that leaves no room


def test_gpus_that_run_for_some_hours_of_the_day_are_told_by_their_mean() -> None:
    assert [gpu_count(n) for n in (0.055, 2.0, 2.03, 1_200.0)] == ["0.055", "2", "2.03", "1,200"]
    batch = ("workload.can_wait_share=1", "serving.autoscale=true", "serving.autoscale_floor=0", "draws=0",
             "candidates.gpus=[RTX-4090]", "workload.requests_per_day=800000")
    c = compare(resolve(load_scenario(None, batch)).case)
    told = " ".join(render(cost_tree(c, "self-hosted-adapter:qwen3-8b+lora"), "table", width=400).split())
    fleet = next(o.fleet for o in c.options if o.id == "self-hosted-adapter:qwen3-8b+lora")
    assert fleet is not None
    assert f"a day's mean in month {fleet.month}, on {gpu_count(fleet.gpus)} x RTX-4090, fp8 weights, " in told
    assert fleet.month == 5  # trained, tried and deployed, and a month beside today's model
    assert "behind one router" not in told
