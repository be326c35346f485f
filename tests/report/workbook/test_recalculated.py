"""A spreadsheet program computes what roi does: at the workbook's assumptions, and after some were changed, as with --set.

Most of what that takes is its start: all cases that were chosen are computed in one.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from recalculated import NO_OFFICE, broken_cells, checks, recalculated, summary

from roi.economics.decision.comparison import Comparison, compare
from roi.report.comparison.option_figures import month_of
from roi.report.workbook.book import comparison_workbook
from roi.report.workbook.option_sheets import months_or_never
from roi.report.workbook.summary_sheet import HOLD, KEPT, SINCE, WORDS
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario, load_scenario
from roi.scenario.yaml import read_yaml

CASES = sorted((Path(__file__).parents[2] / "answers" / "cases").glob("*.yaml"))
CENT = 0.005
CHANGES = {
    "workload.requests_per_day": 1.3, "workload.growth_per_year": 0.25, "people.usd_per_hour": 1.4,
    "quality.usd_per_error": 1.5, "drift.successor_price_ratio": 0.8, "people.wage_growth_per_year": 0.06,
}  # fmt: skip
"""Fields of the scenario that are facts of the same path: what a fact is multiplied by, or for a growth its value."""
office = pytest.mark.skipif(NO_OFFICE is not None, reason=NO_OFFICE or "")


def compared(path: Path | None, values: dict[str, float] | None = None) -> Comparison:
    data = read_yaml(path) if path is not None else None
    if data is None:
        return compare(resolve(load_scenario(overrides=("draws=0", *(f"{k}={v}" for k, v in (values or {}).items())))).case)
    data.pop("expect")
    for field, value in (values or {}).items():
        *parents, last = field.split(".")
        held = data
        for name in parents:
            held = held.setdefault(name, {})
        held[last] = value  # as --set does: in place of what stands there, a spread too
    return compare(resolve(check_scenario({**data, "draws": 0})).case)


@cache
def today(path: Path | None) -> tuple[Comparison, bytes]:
    """A case compared, and its workbook."""
    c = compared(path)
    return c, comparison_workbook(c)


@cache
def changed(path: Path | None) -> dict[str, float]:
    """Five changed assumptions. Not the requests where a bill is stated: its gap to the estimate then changes too."""
    c, content = today(path)
    gap = "reconciliation.factor" in c.case and c.case["reconciliation.factor"].number() != 1.0
    cells = openpyxl.load_workbook(BytesIO(content)).defined_names
    fields = [k for k in CHANGES if k.replace(".", "_") in cells and not (gap and k == "workload.requests_per_day")][:5]
    return {k: CHANGES[k] if k.endswith("growth_per_year") else c.case[k].number() * CHANGES[k] for k in fields}


def agrees(found: dict, c: Comparison) -> None:
    """Every figure of the summary is the comparison's: money to the cent."""
    for o in c.options:
        row = found[o.label]
        cash, errors = month_of(c, o)
        money = {"set-up, USD": o.upfront_usd, "cash a month, USD": cash, "total cost, USD": o.tco_usd,
                 "wrong answers a month, USD": errors, "NPV with wrong answers, USD": o.npv_usd,
                 "NPV without wrong answers, USD": o.npv_without_errors_usd}
        rates = {"payback with wrong answers, months": months_or_never(o.payback_months),
                 "IRR a year, with wrong answers": "none" if o.irr is None else o.irr,
                 "payback on cash, months": months_or_never(o.payback_cash_months)}
        for name, value in money.items():
            assert row[name] == "-" or row[name] == pytest.approx(value, abs=CENT), (o.id, name)
        for name, value in rates.items():
            told = value if isinstance(value, str) else pytest.approx(value, rel=1e-6, abs=1e-6)
            assert row[name] == "-" or row[name] == told, (o.id, name)


def named(path: Path | None) -> str:
    return "bundled" if path is None else path.stem


def books_of(test: str, path: Path | None) -> Iterator[tuple[str, tuple[bytes, dict[str, float]]]]:
    """What a test has computed: the workbook as it is, or with five assumptions changed."""
    content = today(path)[1]
    if test == "test_five_changed_assumptions_give_what_set_gives":
        yield f"{named(path)} changed", (content, {k.replace(".", "_"): v for k, v in changed(path).items()})
    else:
        yield named(path), (content, {})


@pytest.fixture(scope="module")
def computed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The workbooks of all chosen tests of this file that ask for them here, computed in one start."""
    chosen = [item for item in request.session.items if "computed" in getattr(item, "fixturenames", ())]
    paths = [(item.originalname, item.callspec.params["path"] if hasattr(item, "callspec") else None) for item in chosen]
    return recalculated(dict(book for asked in paths for book in books_of(*asked)), tmp_path_factory.mktemp("books"))


@office
@pytest.mark.full
@pytest.mark.parametrize("path", [None, *CASES], ids=named)
def test_libreoffice_computes_every_case_to_the_cent(path: Path | None, computed) -> None:
    book = computed[named(path)]
    assert broken_cells(book) == []
    assert checks(book).startswith("All checks hold")
    agrees(summary(book), today(path)[0])


@office
@pytest.mark.full
@pytest.mark.parametrize("path", [None, *CASES[::3]], ids=named)
def test_five_changed_assumptions_give_what_set_gives(path: Path | None, computed) -> None:
    c, values, book = today(path)[0], changed(path), computed[f"{named(path)} changed"]
    assert len(values) == 5
    after = compared(path, values)
    assert broken_cells(book) == []
    found = {o.label for o in after.options}
    moved = [o.label for o in c.options if o.label in found and plan_of(c, o.label) != plan_of(after, o.label)]
    kept = [o for o in after.options if o.label not in moved]
    assert len(kept) >= 2  # where the cheapest plan is another one, the workbook stays on the one that it names
    agrees(summary(book), replace(after, options=tuple(kept)))


def plan_of(c: Comparison, label: str) -> object:
    fleet = next(o.fleet for o in c.options if o.label == label)
    return None if fleet is None else (fleet.gpu, fleet.vendor, fleet.replicas if "spill" in label else None)


@office
@pytest.mark.full
def test_prices_that_are_announced_are_in_the_formulas(tmp_path: Path) -> None:
    """gemini-3.8-flash, in use, doubles on 2027-01-01, and gemini-4-argon on 2026-12-01; both may end within the horizon."""
    words = ("draws=0", "as_of=2026-11-24", "incumbent.provider=google", "incumbent.model=gemini-3.8-flash",
             "candidates.api_models=[google/gemini-4-argon]", "workload.shared_prefix_tokens=2048",
             "workload.cache_hit_rate=0.5", "candidates.self_hosted=[]")  # fmt: skip
    c, values = compare(resolve(load_scenario(None, words)).case), {"drift.successor_price_ratio": 0.8, "discount_rate": 0.2}
    after = compare(resolve(load_scenario(None, (*words, *(f"{k}={v}" for k, v in values.items())))).case)
    cells = {"drift_successor_price_ratio": 0.8, "discount_rate_per_year": 0.2}
    content = comparison_workbook(c)
    books = recalculated({"now": (content, {}), "after": (content, cells)}, tmp_path)
    for told, book in ((c, books["now"]), (after, books["after"])):
        assert broken_cells(book) == []
        agrees(summary(book), told)


@office
@pytest.mark.full
def test_a_branch_that_roi_would_leave_is_said(tmp_path: Path) -> None:
    """Hours that are paid anyway stand in another branch of the engine: the workbook says that it no longer follows."""
    books = recalculated({"paid anyway": (today(None)[1], {"people_existing_hours_per_month": 20.0})}, tmp_path)
    assert checks(books["paid anyway"]).startswith("At these assumptions roi takes another branch")


@office
@pytest.mark.full
def test_what_is_kept_where_an_assumption_is_changed_is_said_beside_the_checks_and_above_the_words(
    computed, tmp_path: Path,
) -> None:
    """roi compare at other values may take another plan or recommend another option; the words above are of the old ones."""
    same, content = computed["bundled"], today(None)[1]
    assert checks(same) == HOLD
    assert same["Summary"]["A2"].value == WORDS
    two = {"people_usd_per_hour": 150.0, "workload_requests_per_day": 90_000.0}
    books = recalculated({"two": (content, two), "one": (content, {"people_usd_per_hour": 150.0})}, tmp_path)
    assert checks(books["two"]) == KEPT.format("2 values")
    assert books["two"]["Summary"]["A2"].value == SINCE.format("2 values")
    one = books["one"]
    assert checks(one) == KEPT.format("1 value")
    for sheet in one.worksheets:  # no rounding of a sum is shown as -0.00
        shown = [cell.coordinate for row in sheet.iter_rows() for cell in row if isinstance(cell.value, float)
                 and -0.005 < cell.value < 0 and "0.00" in cell.number_format and abs(cell.value) < 1e-7]
        assert shown == [], sheet.title


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["2_cache", "10_owned_cards"])
def test_a_second_program_computes_two_cases_of_three_options_and_their_changes(name: str, tmp_path: Path) -> None:
    """The `formulas` package, which parses and computes in Python; it takes a minute for a workbook."""
    import formulas

    path = next(p for p in CASES if p.stem == name)
    c, content = today(path)
    assert len(c.options) == 3
    file = tmp_path / "book.xlsx"
    file.write_bytes(content)
    model = formulas.ExcelModel().loads(str(file)).finish(circular=False)
    book, values = openpyxl.load_workbook(file), changed(path)
    cells = {}
    for field, value in values.items():
        sheet, cell = book.defined_names[field.replace(".", "_")].attr_text.split("!")
        cells[f"'[book.xlsx]{sheet.upper()}'!{cell.replace('$', '')}"] = value
    for inputs, told in (({}, c), (cells, compared(path, values))):
        solution = model.calculate(inputs=inputs)
        for o in told.options:
            if o.id != "stay" and plan_of(told, o.label) == plan_of(c, o.label):
                sheet = next(name for name in book.sheetnames if book[name]["A1"].value == o.label and name != "Summary")
                npv = solution[f"'[book.xlsx]{sheet.upper()}'!C3"].value[0, 0]
                assert npv == pytest.approx(o.npv_usd, abs=CENT), o.id
