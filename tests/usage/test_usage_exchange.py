"""Amounts in other currencies at the rates that the user states."""

from datetime import date
from pathlib import Path

import pytest
from usage_support import DATA, run_usage, usage_answer

from roi.errors import InputError
from roi.facts.exchange_rate import rate_on, read_rates
from roi.usage.formats.own_columns import columns_found, money_of

HEAD = "timestamp,model,input_tokens,output_tokens,cost,currency"
DAYS = ("2026-10-31", "2026-11-01", "2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05")
RATES = ("--exchange-rate", "eur=1.2@2026-11-02", "--exchange-rate", "EUR=1.0@2026-11-01")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Six calls at 2.5 of a sign, eur, EUR, USD, GBP and of nothing named, which is USD."""
    path = tmp_path / "log.csv"
    paid = ("\u20ac", "eur", "EUR", "USD", "GBP", "")
    rows = (f"{day}T10:00:00Z,gpt-5.4,1000000,100,2.5,{currency}" for day, currency in zip(DAYS, paid, strict=True))
    path.write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
    return path


def test_each_day_has_its_latest_rate_and_what_came_before_has_the_first(log: Path, tmp_path: Path) -> None:
    """2.5 + 2.5 at 1.0 from the first on, 3.0 at 1.2, 2.5 + 2.5 of dollars; pounds have no rate and keep their tokens."""
    found = usage_answer(log, *RATES, "--tasks", "0", "--output", tmp_path / "part.yaml")
    (row,) = found["by_model"]
    assert (row["reported_usd"], row["requests"]) == (pytest.approx(13.0), 6)
    told = "amounts in other currencies, at rates that were stated: 1 EUR = $1 of 2026-11-01, 1 EUR = $1.2 of 2026-11-02"
    assert told in found["notes"]
    assert f"# {told}\n" in (tmp_path / "part.yaml").read_text(encoding="utf-8")
    assert any(note.startswith("1 row with a cost that is not in USD") for note in found["notes"])


def test_the_name_of_a_column_says_that_it_holds_costs_and_in_which_currency_and_parts() -> None:
    """Names of tables and exports that were found in public code, and some that hold no cost."""
    euros = ("cost_eur", "Spend (EUR)", "total_cost_eur", "amount_eur", "cost (EUR)", "EUR cost", "costEur", "Cost (\u20ac)")
    assert {money_of(name) for name in euros} == {("EUR", 1.0)}
    dollars = ("Spend USD", "totalCostUSD", "Cost ($)", "Cost in USD", "cost_amount_usd")
    assert {money_of(name) for name in dollars} == {("USD", 1.0)}
    assert [money_of(name) for name in ("cost_cents", "amount_cents", "cost_micros")] == [(None, 100.0)] * 2 + [(None, 1e6)]
    assert {money_of(name) for name in ("cost_usd_micros", "cost_micro_usd", "Cost (\u00b5USD)")} == {("USD", 1e6)}
    assert not any(map(money_of, ("amount", "cost_center", "cost_per_token", "cost_source", "costs", "eur", "cents")))
    header = ("occurred_at", "input_tokens", "output_tokens", "cost_center", "cost_micros", "cost_usd")
    assert [columns_found({}, header[:k])["cost"] for k in (5, 6)] == ["cost_micros", "cost_usd"]


@pytest.mark.parametrize(("column", "cost"), [("Spend (EUR)", "2.5"), ("cost_eur_cents", "250")])
def test_a_currency_that_the_name_of_the_column_says_is_that_of_its_costs(tmp_path: Path, column: str, cost: str) -> None:
    """Two calls at 2.50 euros: at $1.20 each $6.00, without a rate none."""
    path = tmp_path / "log.csv"
    rows = (f"{day}T10:00:00Z,gpt-5.4,1000000,100,{cost}" for day in DAYS[:2])
    path.write_text("\n".join([f"occurred_at,model,input_tokens,output_tokens,{column}", *rows]) + "\n", encoding="utf-8")
    for words, paid in ((("--exchange-rate", "EUR=1.2@2026-10-01"), pytest.approx(6.0)), ((), None)):
        found = usage_answer(path, *words)
        assert found["by_model"][0]["reported_usd"] == paid
        assert (paid is None) == any(note.startswith("2 rows with a cost that is not in USD") for note in found["notes"])


def test_a_cost_export_counts_its_euros_once_they_have_a_rate() -> None:
    """999 cents of euros that were left out, at $2 each: 22.98 dollars in place of 3."""
    def costs(*words: str) -> float:
        return usage_answer(DATA / "anthropic-cost-api.json", *words)["cost_export_usd"]

    assert costs("--exchange-rate", "EUR=2@2026-01-01") - costs() == pytest.approx(2 * 9.99)


@pytest.mark.parametrize(("rate", "said"), [
    ("EUR", "a currency, the USD for one of it, and their day, as in EUR=1.08@2026-10-31"),
    ("EUR=1.1", "EUR=1.08@2026-10-31"),
    ("EUR=0@2026-10-31", "'EUR=0@2026-10-31' is not usable"),
    ("EUR=1,08@2026-10-31", "'EUR=1,08@2026-10-31' is not usable"),
    ("EUR=1.08@2026-13-31", "2026-13-31 is no day"),
    ("EUR=1.08@2099-01-01", "EUR of 2099-01-01 is not known yet by this machine's clock"),
    ("usd=1@2026-10-31", "amounts in USD need no rate"),
])
def test_what_is_no_rate_is_one_message(log: Path, rate: str, said: str) -> None:
    run = run_usage(log, "--exchange-rate", rate)
    assert (run.exit_code, run.stdout) == (2, "")
    assert said in run.stderr
    assert "Traceback" not in run.stderr


def test_two_rates_of_a_day_are_refused_and_a_currency_without_a_rate_has_none() -> None:
    with pytest.raises(InputError, match="two rates of EUR of 2026-10-31; one a day"):
        read_rates(["EUR=1@2026-10-31", "EUR=2@2026-10-31"], "--exchange-rate")
    assert rate_on(read_rates(["EUR=1@2026-10-31"], "--exchange-rate"), "GBP", date(2026, 11, 1)) is None
