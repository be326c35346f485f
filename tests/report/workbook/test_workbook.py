"""The workbook as it is written: what stands in it, what can never be a formula, names, and what is refused."""

import io
import re
from dataclasses import replace
from typing import Any

import openpyxl
import pytest
from openpyxl.formula import Tokenizer
from recalculated import summary
from small_scenario import SMALL

from roi.economics.decision.comparison import Comparison, compare
from roi.errors import InputError
from roi.report.comparison.advice import advice
from roi.report.comparison.option_figures import month_of, npv_of
from roi.report.comparison.screen import comparison_text
from roi.report.layout.blocks import render
from roi.report.layout.wording import usd
from roi.report.workbook.assumptions import Names, sheet_names
from roi.report.workbook.book import comparison_workbook
from roi.report.workbook.option_sheets import months_or_never
from roi.report.workbook.pen import number_format
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario, load_scenario

HOSTILE = (
    '=HYPERLINK("http://evil.example","click")', "+1+1", "-2+3", "@SUM(A1)", "\x1b[31mred\x07", "<b>bold</b> & | ] ' \x00",
)  # fmt: skip
SHORT = {**SMALL, "horizon_months": 6}

BINS = 40
MANY: dict[str, Any] = {
    **SMALL, "horizon_months": 36,
    "workload": {"requests_per_day": 300_000, "growth_per_year": 0.1, "can_wait_share": 0.3, "lengths": [
        {"input_tokens": 200.0 * 1.18**k, "output_tokens": 50.0 + 10.0 * k, "share": 1.0 / BINS,
         **({"cached_tokens": 150.0 * 1.18**k} if k % 2 else {})} for k in range(BINS)],
        "shared_prefix_tokens": 1500.0, "cache_hit_rate": {"value": 0.8, "low": 0.6, "high": 0.9}},
    "candidates": {"api_models": ["openai/gpt-6-luna", "google/gemini-2.5-flash"], "cascade_first": ["openai/gpt-6-luna"],
                   "self_hosted": ["qwen3-4b", "qwen3-8b", "llama-3.1-8b"], "methods": ["lora"], "hosted_models": [
                       "groq/llama-3.1-8b-instant"]},
    "serving": {"adapters_on_base": 4, "adapters": "shared", "spill_share": 0.1},
}  # fmt: skip
"""Many options and lengths, the longest of which are too long for what serves itself."""
LETTERS, LEVELS, ARGUMENTS, WORDS = 8192, 64, 255, 255
"""What Excel takes: characters of a formula, levels of nesting, arguments of a function, characters of a text in a formula
(support.microsoft.com, "Excel specifications and limits")."""
QUOTED, FUNCTION = re.compile(r'"[^"]*"|\'[^\']*\''), re.compile(r"([A-Z][A-Z.]*)\(")
OLD = {"AND", "AVERAGEIF", "EXP", "IF", "IFERROR", "INDEX", "INT", "IRR", "LN", "MATCH", "MAX", "MIN", "NOT", "OR",
       "ROUND", "ROUNDUP", "SQRT", "SUM", "SUMPRODUCT"}
"""Functions that Excel 2007 has: a file names later ones with a prefix, which nobody writes here."""


@pytest.fixture(scope="module")
def small() -> Comparison:
    return compare(resolve(check_scenario(SHORT)).case)


@pytest.fixture(scope="module")
def content(small: Comparison) -> bytes:
    return comparison_workbook(small)


def opened(content: bytes, **kw: Any) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content), **kw)


def test_the_stored_values_are_those_of_the_comparison(small: Comparison, content: bytes) -> None:
    rows = summary(opened(content, data_only=True))
    for o in small.options:
        row = rows[o.label]
        told = (row["set-up, USD"], row["cash a month, USD"], row["wrong answers a month, USD"], row["total cost, USD"])
        assert told == pytest.approx((o.upfront_usd, *month_of(small, o), o.tco_usd), abs=1e-6)
        if o.id != "stay":
            assert row["NPV with wrong answers, USD"] == pytest.approx(o.npv_usd, abs=1e-6)
            assert row["payback with wrong answers, months"] == months_or_never(o.payback_months)


def test_what_staying_costs_a_month_is_one_figure_on_the_summary() -> None:
    """Staying grows with its volume: words and row both take the months in which the nearest other option serves alone."""
    c = compare(resolve(check_scenario({**SHORT, "workload": {**SMALL["workload"], "growth_per_year": 0.5}})).case)
    stay = next(o for o in c.options if o.id == "stay")
    cash = summary(opened(comparison_workbook(c), data_only=True))[stay.label]["cash a month, USD"]
    assert f"Cash {usd(cash)} a month" in render(advice(c))
    assert cash != pytest.approx(stay.cash_monthly_usd, abs=0.01)


@pytest.mark.parametrize(("template", "words"), [("classification", "on cash alone"), (None, "wrong answers counted")])
def test_the_drawn_figures_are_those_that_the_verdict_counts_and_say_which(template: str | None, words: str) -> None:
    """A template's guess of what a wrong answer costs decides nothing: mean, percentiles and chances are then on cash."""
    priced = {**SHORT, "draws": 64, "template": template, "quality": {"usd_per_error": 0.05, **SMALL["quality"]}}
    c = compare(resolve(check_scenario(priced)).case)
    rows = summary(opened(comparison_workbook(c), data_only=True))
    for o in (o for o in c.options if o.id != "stay"):
        mean, spread = npv_of(c, o)
        told = [rows[o.label][f"{head}, {words}{unit}"] for head, unit in (("mean NPV", ", USD"), ("P10", ""), ("P90", ""))]
        assert spread is not None
        assert told == pytest.approx([mean, spread[0], spread[2]])
        odds = o.probability_cash_positive if template else o.probability_npv_positive
        assert rows[o.label][f"chance to beat staying, {words}"] == pytest.approx(odds)
    if template:
        assert any(o.expected_npv_usd != pytest.approx(o.expected_cash_npv_usd) for o in c.options)


def test_a_workbook_without_draws_has_no_column_and_no_word_of_a_mean() -> None:
    c = compare(resolve(check_scenario({**SHORT, "draws": 0})).case)
    sheet = opened(comparison_workbook(c), data_only=True).worksheets[0]
    said = [str(cell.value) for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert "total cost, USD" in said
    assert not [text for text in said if any(word in text for word in ("mean NPV", "P10", "chance to", "from its draws"))]
    assert any("There are no draws: nothing says how sure it is." in text for text in said)
    drawn = compare(resolve(check_scenario({**SHORT, "draws": 64})).case)
    heads = [str(cell.value) for row in opened(comparison_workbook(drawn)).worksheets[0].iter_rows() for cell in row]
    assert any(text.startswith("mean NPV") for text in heads)


def test_every_amount_on_the_options_sheets_is_a_formula_or_zero(small: Comparison, content: bytes) -> None:
    book = opened(content)
    for o in small.options:
        sheet = book[o.label]
        for row in sheet.iter_rows(min_row=6, max_row=5 + len(o.lines), min_col=3):
            assert all(str(cell.value).startswith("=") or cell.value == 0 for cell in row)


def sizes(formula: str) -> tuple[int, int, int, int]:
    """Characters, levels of brackets, most arguments of a bracket and characters of the longest text."""
    open_brackets, levels, arguments, words = [0], 0, 0, 0
    for token in Tokenizer(formula).items:
        if token.subtype == "OPEN":
            open_brackets.append(1)
        elif token.type == "SEP":
            open_brackets[-1] += 1
        elif token.subtype == "CLOSE":
            arguments = max(arguments, open_brackets.pop())
        elif token.subtype == "TEXT":
            words = max(words, len(token.value) - 2)
        levels = max(levels, len(open_brackets) - 1)
    return len(formula) - 1, levels, arguments, words


def test_the_sizes_of_a_formula() -> None:
    assert sizes('=SUM(1,MAX(A1,"ab",(2+3)),4)') == (27, 3, 3, 2)


@pytest.mark.full
@pytest.mark.parametrize("bundled", [True, False], ids=["bundled", "many options and lengths"])
def test_excel_takes_every_formula(bundled: bool) -> None:
    """What a check rests on has cells, as what a line rests on: a fleet's own stood in one formula of 47,000 characters."""
    c = compare(resolve(load_scenario(overrides=("draws=0",)) if bundled else check_scenario(MANY)).case)
    assert len(c.options) >= 10
    assert any(o.fleet is not None for o in c.options)
    book = opened(comparison_workbook(c))
    for sheet in book:
        for cell in (cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"):
            letters, levels, arguments, words = sizes(cell.value)
            assert letters <= LETTERS, (sheet.title, cell.coordinate, letters)
            assert levels <= LEVELS, (sheet.title, cell.coordinate, levels)
            assert arguments <= ARGUMENTS, (sheet.title, cell.coordinate, arguments)
            assert words <= WORDS, (sheet.title, cell.coordinate, words)
            assert {*FUNCTION.findall(QUOTED.sub("", cell.value))} <= OLD, (sheet.title, cell.coordinate)


@pytest.mark.full
@pytest.mark.parametrize("usd_per_kwh", [0.0, 0.1])
def test_power_that_colocation_includes_is_said_wherever_costs_stand(usd_per_kwh: float) -> None:
    """The workbook keeps the row of electricity at $0, which a price would fill; other tables leave rows of $0 out."""
    own = {"cards": {"L40S": 4}, "resale_usd_per_gpu": {"L40S": 3000}, "usd_per_kwh": usd_per_kwh,
           "colocation_usd_per_kw_month": 100}
    served = {"candidates": {"self_hosted": ["qwen3-8b"], "methods": []}, "serving": {"capacities": [
        {"model": "qwen3-8b", "gpu": "L40S", "gpus": 1, "requests_per_s": 2.0}]}}
    c = compare(resolve(check_scenario({**SHORT, **served, "own_hardware": own})).case)
    o = next(o for o in c.options if o.kind == "own-hardware")
    rows = {row[0].value: row[-1].value for row in opened(comparison_workbook(c), data_only=True)[o.label].iter_rows()}
    power = [(name, rows[name] > 0) for name in rows if str(name).startswith("electricity")]
    assert power == [("electricity", True) if usd_per_kwh else ("electricity, included in colocation", False)]
    for form in ("table", "markdown"):
        shown = comparison_text(c, (), explain=o.id, form=form)
        assert ("/kW, power included = " in shown, "electricity" in shown) == (not usd_per_kwh, usd_per_kwh > 0)


def test_each_assumption_has_a_name_its_value_and_its_source(small: Comparison, content: bytes) -> None:
    book = opened(content)
    rows = {row[1].value: row for row in book["Assumptions"].iter_rows(min_row=4) if row[1].value}
    place = book.defined_names["workload_requests_per_day"].attr_text
    assert place == f"Assumptions!$C${rows['workload.requests_per_day'][2].row}"
    for path, row in rows.items():
        if path in small.case and not isinstance(small.case[path].value, tuple):
            fact = small.case[path]
            assert row[2].value == pytest.approx(fact.value)
            assert (row[3].value, row[4].value) == pytest.approx((fact.low, fact.high))
            assert row[7].value == fact.source
    assert rows["workload.requests_per_day"][2].font.color.rgb == "FF0000FF"  # blue: to be changed
    assert "horizon_months" in rows
    assert "quality.bar" not in rows


def test_the_prices_of_one_model_stand_once(content: bytes) -> None:
    rows = [(row[0].value, row[1].value) for row in opened(content)["Assumptions"].iter_rows(min_row=4) if row[1].value]
    assert len({path for _, path in rows}) == len(rows)  # an entry of a list has its place behind the path
    luna = {path.split(".price")[0] for _, path in rows if "gpt-6-luna" in path and path.endswith(".input_usd_per_mtok[0]")}
    assert luna == {"options.cheaper-api:openai/gpt-6-luna"}  # the cascade's is the same fact


def test_units_stand_apart_heads_have_room_and_what_is_looked_up_is_not_shown(content: bytes) -> None:
    book = opened(content)
    units = [row[5] for row in book["Assumptions"].iter_rows(min_row=4) if row[5].value]
    assert {(unit.alignment.horizontal, unit.alignment.indent) for unit in units} == {("left", 1.0)}
    heads = next(row for row in book["Summary"].iter_rows() if row[0].value == "option")
    assert book["Summary"].row_dimensions[heads[0].row].height >= 13.5 * max(len(str(head.value)) / 11 for head in heads[3:])
    sheet = book["gpt-6-luna"]
    paid = [row for row in sheet.iter_rows(min_col=4) if str(sheet.cell(row[0].row, 1).value).startswith("Payback")]
    assert {cell.number_format for row in paid for cell in row if cell.value is not None} == {";;;"}


def test_the_same_comparison_gives_the_same_bytes(small: Comparison, content: bytes) -> None:
    assert comparison_workbook(small) == content


def hostile(path: str) -> str:
    """Words for a fact, the same for facts of one name."""
    return HOSTILE[len(path.rpartition(".")[2]) % len(HOSTILE)]


@pytest.mark.full
def test_no_name_becomes_a_formula_a_link_or_illegal_xml(small: Comparison, content: bytes) -> None:
    facts = {path: f.model_copy(update={"value" if path == "title" or path.endswith(".label") else "source": hostile(path)})
             for path, f in small.case.facts.items()}
    options = tuple(replace(o, label=name) for o, name in zip(small.options, HOSTILE, strict=False))
    case = small.case.model_copy(update={"facts": facts})
    plain, book = opened(content), opened(comparison_workbook(replace(small, case=case, options=options)))

    def formulas(workbook: Any) -> int:
        return sum(cell.data_type == "f" for sheet in workbook for row in sheet.iter_rows() for cell in row)

    assert formulas(book) == formulas(plain)
    links = [cell.hyperlink for cell in book["Summary"]["A"] if cell.hyperlink]
    assert len(links) == len(options)
    assert all(link.target is None and "!A1" in link.location for link in links)  # to sheets of this workbook alone
    assert book["Summary"]["A1"].data_type == "s"
    assert HOSTILE[0] in {cell.value for cell in book["Assumptions"]["H"]}  # it stands there, as words
    assert len({name.lower() for name in book.sheetnames}) == len(book.sheetnames)


def test_sheets_have_short_names_without_forbidden_signs_each_once() -> None:
    names = sheet_names(["a/b[c]:*?\\", "Summary", "x" * 40, "x" * 40, "", "'quoted'", "X" * 31], ["Summary", "Common"])
    assert names == ["a-b-c-----", "Summary (2)", "x" * 31, "x" * 27 + " (2)", "Option", "quoted", "X" * 27 + " (3)"]


def test_names_of_cells_are_no_cells_and_differ_in_more_than_capitals() -> None:
    names = Names()
    assert [names.new(path) for path in ("a.b-c", "A.B.C", "r1c1", "AB12", "9x", "R", "options.x/y:z.price")] == [
        "a_b_c", "A_B_C_2", "v_r1c1", "v_AB12", "v_9x", "v_R", "options_x_y_z_price"]


def test_number_formats_show_four_digits() -> None:
    assert [number_format([x]) for x in (100000.0, 1.0, 0.0006, 3.847, 123.456)] == ["#,##0", "0", "0.0000", "0.000", "0.0"]
    assert number_format([0.1], "share") == "0.0%"
    assert number_format([0.1234], "1/year") == "0.00%"


def test_too_many_options_are_refused_before_anything_is_traced(small: Comparison) -> None:
    many = replace(small, options=small.options * 2500)
    with pytest.raises(InputError, match=r"--xlsx: 10,000 options over 6 months are too many .* 4,000\. .*--csv"):
        comparison_workbook(many)
