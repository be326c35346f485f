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
    told = "amounts in other currencies, at rates that were stated: 1 EUR = $1 of 2026-11-01, 1 EUR = $1.20 of 2026-11-02"
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


def test_rates_that_convert_nothing_are_named_as_such(log: Path, tmp_path: Path) -> None:
    """No cost is in CHF, and the euros end before the day of their last rate; costs in EUR, GBP and USD are there."""
    idle = ("--exchange-rate", "CHF=1.1@2026-10-31", "--exchange-rate", "EUR=1.3@2026-11-20")
    found = usage_answer(log, *RATES, *idle, "--output", tmp_path / "part.yaml")
    told = [note for note in found["notes"] if "rate" in note and "not in USD" not in note]
    assert told == [
        "amounts in other currencies, at rates that were stated: 1 EUR = $1 of 2026-11-01, 1 EUR = $1.20 of 2026-11-02",
        "--exchange-rate: nothing here is in CHF; costs are in EUR, GBP, USD",
        "1 EUR = $1.30 of 2026-11-20 converts nothing: other rates of EUR are nearer"]
    assert "CHF" not in (tmp_path / "part.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(("cost", "said"), [("2.5", "costs are in USD"), ("", "no cost is told")])
def test_a_rate_beside_dollars_alone_or_no_cost_says_so(tmp_path: Path, cost: str, said: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(f"timestamp,model,input_tokens,output_tokens,cost\n{DAYS[0]}T10:00:00Z,gpt-5.4,1000000,100,{cost}\n")
    notes = usage_answer(path, "--exchange-rate", "GBP=1.2@2026-10-31")["notes"]
    assert f"--exchange-rate: nothing here is in GBP; {said}" in notes
    assert not any("that were stated" in note for note in notes)


def paid_log(path: Path, column: str, *cells: str) -> Path:
    """Calls of a day each, and what stands in their column of costs."""
    rows = (f'{day}T10:00:00Z,gpt-5.4,1000000,100,"{cell}"' for day, cell in zip(DAYS, cells, strict=False))
    path.write_text("\n".join([f"occurred_at,model,input_tokens,output_tokens,{column}", *rows]) + "\n", encoding="utf-8")
    return path


def test_cells_with_a_dollar_sign_are_dollars(tmp_path: Path) -> None:
    """12.50 + 0.25 + 1.00 + 2.00 + 0.25 = 16 USD; in a column of euros or of cents a dollar contradicts its name."""
    cells = ("$12.50", "$ 0.25", "1.00 USD", "usd 2", "0.25$")
    found = usage_answer(paid_log(tmp_path / "a.csv", "cost", *cells))
    assert (found["dropped"], found["by_model"][0]["reported_usd"]) == ([], pytest.approx(16.0))
    for column in ("cost_eur", "cost_cents"):
        run = run_usage(paid_log(tmp_path / f"{column}.csv", column, *cells))
        assert (run.exit_code, f"line 2, column {column}: '$12.50'" in run.stderr) == (2, True)


EUROS = ("write the number alone, with a decimal point, and EUR in a column currency, or call the column cost_eur;"
         " --exchange-rate EUR=USD@DAY, as in EUR=1.08@2026-10-31, then counts it")


@pytest.mark.parametrize(("cell", "said"), [
    ("\u20ac7250.0", EUROS), *(pytest.param(*case, marks=pytest.mark.full) for case in (
        ("7250.0 EUR", EUROS), ("\u20ac 7250,0", EUROS),
        ("\u00a37250.0", EUROS.replace("and EUR", "and GBP").replace("cost_eur", "cost_gbp").replace("EUR=USD", "GBP=USD")))),
    ("7250 ct", "write the number alone, with a decimal point, in a column cost_cents"),
    ("$1,250.00", "write numbers without a separator of thousands, and with a decimal point"),
])
def test_a_cost_with_its_currency_beside_it_is_shown_and_how_it_is_written(tmp_path: Path, cell: str, said: str) -> None:
    run = run_usage(log := paid_log(tmp_path / "a.csv", "cost", cell, cell))
    assert run.exit_code == 2
    assert run.stderr == (f"roi: FILES: 2 of 2 rows cannot be read: a cost that is no number with a decimal point ({log}, line"
                          f" 2, column cost: {cell!r}); {said}\n")


def test_a_cost_that_is_a_text_is_not_shown(tmp_path: Path) -> None:
    run = run_usage(paid_log(tmp_path / "a.csv", "cost", "CANARY-7f3a 12", "CANARY-7f3a 12"))
    assert (run.exit_code, "CANARY" in run.stderr) == (2, False)


@pytest.mark.parametrize("column", [
    "Cost (ct)", *(pytest.param(column, marks=pytest.mark.full) for column in ("cost_in_millicents", "COST_CT"))])
def test_a_column_that_is_called_a_cost_and_is_not_read_is_told(tmp_path: Path, column: str) -> None:
    """Mapped, it is in USD: 2.50 for each of two calls."""
    log = paid_log(tmp_path / "a.csv", column, "2.5", "2.5")
    (told,) = [note for note in usage_answer(log)["notes"] if note.startswith("no cost is read")]
    assert f"the name of {column} does not tell in what it is; --map cost='{column}' reads it in USD" in told
    mapped = usage_answer(log, "--map", f"cost={column}")
    assert mapped["by_model"][0]["reported_usd"] == pytest.approx(5.0)
    assert not any("no cost is read" in note for note in mapped["notes"])


@pytest.mark.parametrize("column", ["cost_center", "cost_per_token", "cost_currency", "cost"])
def test_a_column_that_is_no_cost_or_is_read_has_no_such_note(tmp_path: Path, column: str) -> None:
    notes = usage_answer(paid_log(tmp_path / "a.csv", column, "2.5", "2.5"))["notes"]
    assert not any("no cost is read" in note for note in notes)


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
