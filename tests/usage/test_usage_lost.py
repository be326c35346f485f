"""Rows of a table of one's own whose money or requests cannot be read: they are named, and nothing is added up of them."""

from pathlib import Path

import pytest
from usage_support import CANARY, run_usage, usage_answer

HEAD = "date,provider,model,requests,input_tokens,output_tokens,cost,currency"


def table(path: Path, *cells: tuple[str, str, str]) -> Path:
    """Days of (requests, cost, currency) from 2026-10-01 on, 1,000 tokens in each."""
    rows = (f"2026-10-{day:02d},openai,gpt-6-sol,{requests},1000,0,{cost},{currency}"
            for day, (requests, cost, currency) in enumerate(cells, start=1))
    path.write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(("cells", "reason"), [
    (("10", "0.5", "EUR"), "an amount in EUR; what is read is in USD"),
    (("10", "0.5", "eur"), "an amount in EUR; what is read is in USD"),
    (("10", "0.5", ""), "an amount that is not stated in USD"),
    (("10", "0.5", CANARY), "an amount that is not stated in USD"),
    (("nan", "0.5", "USD"), "a number of requests that cannot be read"),
    (("1.5", "0.5", "USD"), "a number of requests that cannot be read"),
    (("-10", "0.5", "USD"), "a negative number of requests"),
    (("10", "-7", "USD"), "a negative cost"),
    (("10", "nan", "USD"), "a cost that is no number with a decimal point"),
])
def test_money_and_requests_that_are_none_drop_their_row_with_its_line(tmp_path: Path, cells, reason) -> None:
    """Of three rows of 0.5 USD the second is left out: 1 USD, 20 requests."""
    file = table(tmp_path / "a.csv", ("10", "0.5", "usd"), cells, ("10", "0.5", "USD"))
    found = usage_answer(file)
    assert [(gone["rows"], gone["reason"], gone["where"]) for gone in found["dropped"]] == [(1, reason, f"{file}, line 3")]
    assert (found["by_model"][0]["reported_usd"], found["by_model"][0]["requests"]) == (1.0, 20)
    assert CANARY not in run_usage(file).stdout


def test_a_currency_without_a_cost_and_a_cell_that_is_empty_are_no_fault(tmp_path: Path) -> None:
    found = usage_answer(table(tmp_path / "a.csv", ("10", "", "EUR"), ("10", "null", "")))
    assert (found["dropped"], found["by_model"][0]["requests"]) == ([], 20)
