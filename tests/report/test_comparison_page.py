"""The HTML report of a comparison holds its figures, and neither names nor places that it should not."""

import json
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import pytest
from bundled_scenario import compared as answer
from quiet_scenario import case_of, quiet

from roi.economics.decision.comparison import Comparison, compare
from roi.facts.case import Case
from roi.report.charts.style import options_of
from roi.report.comparison.answer_json import comparison_json
from roi.report.comparison_page import comparison_page
from roi.report.page.hidden_places import without_places
from roi.report.page.page import page_html
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario, scenario_data

Rows = list[dict[str, str]]


def html_of(c: Comparison, scenario: dict | None = None, *, redact: bool = False) -> str:
    page = comparison_page(c, ("a warning",), scenario=scenario, redact=redact)
    return page_html(without_places(page, ["ada-lovelace", "gpu-box-7"]), "0;")


class Tables(HTMLParser):
    """The tables of a page: each row by its heads, the text of its first cell without what unfolds."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[Rows] = []
        self.heads: list[str] = []
        self.row: list[str] = []
        self.cell: str | None = None
        self.unfolded = False

    def handle_starttag(self, tag: str, attrs: list) -> None:  # noqa: ARG002
        if tag == "table":
            self.heads, self.tables = [], [*self.tables, []]
        elif tag == "tr":
            self.row = []
        elif tag in {"th", "td"}:
            self.cell = ""
        elif tag == "p":
            self.unfolded = True

    def handle_data(self, data: str) -> None:
        if self.cell is not None and not self.unfolded:
            self.cell += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "p":
            self.unfolded = False
        elif tag in {"th", "td"} and self.cell is not None:
            self.row, self.cell = [*self.row, self.cell.strip()], None
        elif tag == "tr" and self.tables:
            if self.heads:
                self.tables[-1].append(dict(zip(self.heads, self.row, strict=True)))
            else:
                self.heads = self.row


def tables(html: str) -> list[Rows]:
    parser = Tables()
    parser.feed(html)
    return parser.tables


def number(text: str) -> float:
    return float(re.sub(r"[$,%]", "", text))


@cache
def bundled() -> tuple[dict, list[Rows], str]:
    c = answer("draws=256")
    html = html_of(c, {"title": "x"})
    return json.loads(comparison_json(c, scenario=None, warnings=())), tables(html), html


@pytest.mark.full
def test_the_figures_of_every_option_are_those_of_the_json() -> None:
    body, found, _ = bundled()
    every = next(rows for rows in found if rows and "USD/Mtok" in rows[0])
    by_label = {re.sub(r"^stay: | \((?:recommended|not tested)\)$", "", row["option"]): row for row in every}
    assert len(by_label) == sum(o["feasible"] for o in body["options"])
    for o in body["options"]:
        if not o["feasible"]:
            continue
        row = by_label[o["label"]]
        assert number(row["set-up USD"]) == pytest.approx(o["upfront_usd"], abs=0.5)
        if o["id"] != "stay":
            assert number(row["cash USD/month"]) == pytest.approx(o["cash_monthly_usd"], abs=0.5)
            assert number(row["NPV USD"]) == pytest.approx(o["expected_cash_npv_usd"], abs=0.5)
            assert number(row["payback"]) == pytest.approx(o["payback_cash_months"], abs=0.05)


def test_the_lines_of_every_option_sum_to_its_cost_in_the_json() -> None:
    body, found, _ = bundled()
    trees = [rows for rows in found if rows and "cost line" in rows[0]]
    totals = sorted(number(rows[-1]["36 months USD"]) for rows in trees)
    assert totals == pytest.approx(sorted(o["tco_usd"] for o in body["options"] if o["feasible"]), abs=0.5)
    for rows in trees:
        parts = [number(row["36 months USD"]) for row in rows]
        assert sum(parts[:-1]) == pytest.approx(parts[-1], abs=len(parts))


def test_drivers_experiments_gates_and_chances_are_those_of_the_json() -> None:
    body, found, html = bundled()
    drivers = next(rows for rows in found if rows and "rank corr." in rows[0])
    lows = [d["npv_at_low_usd"] for d in body["drivers"]]
    assert [number(row["NPV at 5%"]) for row in drivers] == pytest.approx(lows, abs=0.5)
    experiments = next(rows for rows in found if rows and "experiment" in rows[0])
    assert len(experiments) == len(body["experiments"])
    gates = next(rows for rows in found if rows and "question" in rows[0])
    assert [row["answer"] for row in gates] == [g["status"] for g in body["gates"]]
    for words in (*body["included"], *body["excluded"]):
        assert words.split("'")[0][:40].replace(">", "&gt;") in html


def test_savings_month_by_month_end_at_what_the_json_saves() -> None:
    body, found, _ = bundled()
    months = next(rows for rows in found if rows and "month" in rows[0])
    assert [row["month"] for row in months] == [str(k) for k in range(37)]
    stay = next(o for o in body["options"] if o["id"] == "stay")

    def cash(o: dict) -> float:
        return o["tco_usd"] - sum(sum(line["monthly_usd"]) for line in o["lines"] if line["name"] == "wrong answers")

    for o in body["options"]:
        if o["label"] in months[-1]:
            assert number(months[-1][o["label"]]) == pytest.approx(cash(stay) - cash(o), abs=0.5)


def test_every_fact_of_a_line_unfolds_to_its_source() -> None:
    _, found, html = bundled()
    facts = [rows for rows in found if rows and "basis" in rows[0] and "fact" in rows[0]]
    assert len(facts) == 11  # one for each option, and what they share
    assert all(row["basis"] for rows in facts for row in rows)
    assert "the trace is one hour (workload.requests_per_day)" in html


HOSTILE = '<script>alert(1)</script>=HYPERLINK("http://x.example") \x1b[31mred | pipe'


@pytest.mark.full
def test_a_hostile_title_stays_text() -> None:
    case = case_of()
    title = case["title"].model_copy(update={"value": HOSTILE})
    html = html_of(compare(Case(facts={**case.facts, "title": title})))
    assert "<script>alert" not in html
    assert "\x1b" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;=HYPERLINK" in html


@pytest.mark.full
@pytest.mark.parametrize(("draws", "heads"), [
    (0, ["central", "quality"]),
    (64, ["P10 (bad case)", "mean", "P90 (good case)", "beats staying", "best of all", "quality"])])
def test_the_options_of_the_page_have_a_head_for_each_cell_also_without_draws(draws: int, heads: list[str]) -> None:
    rows = re.findall(r"<tr.*?</tr>", html_of(answer(f"draws={draws}")), re.DOTALL)
    at = next(k for k, row in enumerate(rows) if "wrong answers" in row)
    told = [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in re.findall(r"<th.*?</th>", rows[at], re.DOTALL)]
    assert [head.removeprefix("NPV, $k, ") for head in told[3:]] == heads
    assert len(re.findall(r"<t[dh][ >]", rows[at + 1])) == len(told)


@pytest.mark.full
def test_no_place_account_or_machine_of_a_source_stands_in_the_page() -> None:
    """Sources of facts may hold where a file lies."""
    c = answer("draws=0")
    told = ("dry run /home/ada-lovelace/profiles/a100/canary-1.json on gpu-box-7, http://gpu-box-7:8000/v1,"
            " ada-lovelace@box.lan:/x")
    facts = {path: fact.model_copy(update={"source": told}) for path, fact in c.case.facts.items()}
    scenario = {"title": "t", "profiles": "/home/ada-lovelace/p", "usage": "../x/part.yaml"}
    html = html_of(replace(c, case=Case(facts=facts)), scenario)
    assert "canary-1.json" in html
    for canary in ("ada-lovelace", "/home", "gpu-box-7", "../x", "a100/canary"):
        assert canary not in html, canary


@pytest.mark.full
def test_a_redacted_page_tells_no_name_rate_or_wage() -> None:
    data = quiet({"title": "Canary task of Initech"})
    data["draws"] = 64
    hours = {**data["people"]["setup_hours"], "api": 43.71}
    data["people"] = {**data["people"], "usd_per_hour": 137.25, "setup_hours": hours}
    data["quality"] = {**data["quality"], "usd_per_error": 0.1973}
    data["incumbent"] = {**data["incumbent"], "discount": 0.2718}
    data["costs"] = [{"name": "Canary review", "usd_per_month": 611.5, "option": "stay"}]
    scenario = check_scenario(data)
    c = compare(resolve(scenario).case)
    plain = html_of(c, scenario_data(scenario))
    html = html_of(c, scenario_data(scenario), redact=True)
    for canary in ("Initech", "gpt-5.4", "gpt-6-luna", "qwen3-8b", "Canary review", "137.25", "43.71", "0.197", "27.18%",
                   "27.2%"):
        assert canary not in html, canary
    for canary in ("Initech", "gpt-6-luna", "137.25", "Canary review"):
        assert canary in plain, canary
    assert not re.search(r"\$137(?![\d,])", html)  # what an experiment of an hour costs
    assert "Rates, wages and names are left out." in html


@pytest.mark.full
def test_a_redacted_page_tells_no_hours_whose_worth_is_a_wage_and_no_half_of_a_name() -> None:
    """40 hours that are 16 to 100 move the NPV by 84 times the wage: told with both ends of the NPV they are the wage."""
    data = quiet({"candidates": {"api_models": ["openai/gpt-6-luna"], "vendor_tuned": ["azure/gpt-4.1-mini"],
                                 "hosted_adapters": ["fireworks/qwen3-8b"], "hosted_models": ["groq/openai/gpt-oss-20b"]}})
    data["draws"] = 64
    hours = {**data["people"]["setup_hours"], "api": {"value": 40.0, "low": 16.0, "high": 100.0}}
    data["people"] = {**data["people"], "setup_hours": hours}
    data["quality"] = {**data["quality"], "scores": {"gpt-5.4": 0.95, "gpt-6-luna": {"value": 0.9, "items": 120}}}
    data["apis"] = {"openai/gpt-6-luna": {"committed_usd_per_month": 10.0, "committed_until": "2027-12-31"}}
    c = compare(resolve(check_scenario(data)).case)
    assert "changes.api.setup_hours" in {d.path for d in c.drivers}
    plain, html = html_of(c), html_of(c, redact=True)
    for canary in ("16 to 100 hours", "openai", "groq", "fireworks", "azure", "gpt-4.1", ".1-mini", "qwen3-8b", "gpt-oss-20b"):
        assert canary in plain, canary
        assert canary not in html, canary


@pytest.mark.full
def test_the_ends_of_a_driver_are_hidden_where_its_fact_is() -> None:
    """A negotiated discount moves the answer, as does what a successor costs: in the table and in the picture."""
    c = answer("draws=256", "candidates.self_hosted=[]", "candidates.hosted_adapters=[]",
               "incumbent.discount={value: 0.1717, low: 0.1234, high: 0.2345}",
               "incumbent.successor_price_ratio={value: 0.9, low: 0.7171, high: 1.3131}")
    ends = ("12.3% to 23.4%", "12.3% to 23.5%", "0.717 to 1.31")
    plain, html = html_of(c), html_of(c, redact=True)
    assert sum(end in plain for end in ends) == 2
    assert [end for end in ends if end in html] == []
    [rows] = [table for table in tables(html) if table and {"5% to 95%", "fact"} <= table[0].keys() and len(table[0]) == 6]
    found = {row["fact"]: row["5% to 95%"] for row in rows}
    assert found["discount at stay"] == "hidden"
    assert "discount at stay: hidden" in html
    assert set(found.values()) != {"hidden"}


@pytest.mark.slow
def test_ten_thousand_options_over_ten_years_give_a_page_that_says_what_it_leaves_out() -> None:
    c = answer("draws=0", "horizon_months=120")
    first = c.options[1]
    more = tuple(replace(first, id=f"{first.id}-{k}", label=f"copy {k}") for k in range(10_000))
    facts = dict(c.case.facts)
    own = {path: fact for path, fact in c.case.facts.items() if path.startswith(f"options.{first.id}.")}
    for o in more:
        facts |= {path.replace(first.id, o.id): fact for path, fact in own.items()}
    big = replace(c, options=(*c.options, *more), case=Case(facts=facts))
    html = html_of(big)
    assert len(html) < 1_500_000
    assert "--format json holds all 10,0" in html
    assert "The best 12 of 10,0" in html
    assert len(options_of(big)) <= 6


def test_the_facts_behind_a_line_hold_every_price_of_a_list_with_its_figures() -> None:
    """gpt-6-sol: $2 up to 272,000 tokens of input, then $4; output $10 and $15; nothing waits for a batch here."""
    rows = [row for table in tables(html_of(answer("draws=0"))) for row in table
            if row.get("fact", "").endswith("(options.stay.price)")]
    found = {row["fact"].removesuffix(" (options.stay.price)"): row["value"] for row in rows}
    assert found["input usd per mtok"] == "$2/Mtok, $4/Mtok"
    assert found["output usd per mtok"] == "$10/Mtok, $15/Mtok"
    assert found["cache read usd per mtok"] == "$0.20/Mtok, $0.40/Mtok"
    assert not any("batch" in name for name in found)


def test_a_column_of_what_wrong_answers_cost_is_headed_usd_and_cards_are_told_where_some_are_sold() -> None:
    html = html_of(answer("draws=0"))
    assert "wrong USD/month" in {" ".join(head.split()) for table in tables(html) for row in table for head in row}
    assert "what cards will sell for" not in html_of(answer("draws=0", "candidates.self_hosted=[]"))


@pytest.mark.full
def test_what_lies_left_of_zero_is_a_credit_of_ones_own_and_what_bought_cards_sell_for_does_not() -> None:
    """A kind of cost holds what its cards cost and what they fetch, which is less; a credit of $90,000 is a kind of its own."""
    left = "Left of zero: credits among your own costs."
    assert left not in html_of(answer("draws=256"))
    assert left in html_of(answer("draws=256", "costs=[{name: credits, option: all, upfront_usd: -90000}]"))
