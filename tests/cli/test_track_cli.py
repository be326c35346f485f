"""roi track at the command line: what it says of made months, what it keeps, when it leaves with 3, and what it refuses."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from tracked_years import CACHE, LUNA, LUNA_USD, SCENARIO, SOL_USD, cached_usd, export

from roi.answers.track_record import TrackedMonth, keep_months
from roi.cli import main
from roi.errors import InputError
from roi.report.track_causes import times

SOL, HAIKU = "openai/gpt-6-sol", "anthropic/claude-haiku-5-5"


def roi(*words):
    return CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"}).invoke(main, list(map(str, words)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The scenario, its saved comparison, invoices and exports."""
    found = tmp_path_factory.mktemp("decision")
    (found / "mail.yaml").write_text(yaml.safe_dump(SCENARIO, sort_keys=False))
    assert roi("compare", found / "mail.yaml", "--format", "json", "--output", found / "saved.json").exit_code == 0
    (found / "bill.csv").write_text("month,usd\n2026-12,231.756\n2027-01,231.756\n2027-02,300\n")
    return found


def track(folder, *words, file="saved.json"):
    return roi("track", folder / file, *words)


def told(folder, *words, file="saved.json"):
    done = track(folder, *words, "--format", "json", file=file)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_an_invoice_alone_tells_cash_and_no_price(folder):
    """February was forecast at 28 x 60,000 x 0.0001246 = $209.328; $300 is 90.67 more, by more calls or a higher price."""
    found = told(folder, "--bill", folder / "bill.csv", "--option", "openai/gpt-6-luna")  # by its provider and model
    assert [m["cash_usd"]["came"] for m in found["months"]] == pytest.approx([231.756, 231.756, 300.0])
    assert [m["calls"]["came"] for m in found["months"]] == [None, None, None]
    assert [m["price_factor"]["came"] for m in found["months"]] == [None, None, None]
    assert [m["cash_usd"]["inside"] for m in found["months"]] == [True, True, False]
    assert [(e["fact"], e["cash_usd"]) for e in found["effects"]] == [("price or volume", 90.67)]
    assert found["off"] == (  # 300 / 209.328 = 1.433 in February, (231.756 x 2 + 300) / 672.84 = 1.135 in all
        "Price or volume, the bill of gpt-6-luna, over the forecast's; nothing tells its price and volume apart: x1.135 over"
        " all that was paid, x1.433 in 2027-02; +$91 of cash in 2026-12 to 2027-02.")
    assert found["schema"] == "roi.track/1"


def test_the_fact_that_was_off_is_told_with_what_it_is_in_which_months_and_against_what(folder, tmp_path):
    """Luna at 1.3 times its price in all three months, 1.3 - 1 = 0.3 of $672.84 = $201.85; a month as forecast says nothing."""
    (tmp_path / "usage.csv").write_text(export("gpt-6-luna", 3, usd=1.3 * LUNA_USD))
    said = " ".join(track(folder, "--actual", tmp_path / "usage.csv").stdout.split())
    assert ("OFF Price, of gpt-6-luna's tokens as billed, over the forecast's: x1.300; +$202 of cash in 2026-12 to 2027-02."
            in said)
    (tmp_path / "usage.csv").write_text(export("gpt-6-luna", 1, usd=LUNA_USD))
    assert "OFF Nothing: every figure that is told is the forecast's." in " ".join(
        track(folder, "--actual", tmp_path / "usage.csv").stdout.split())


@pytest.mark.full
@pytest.mark.parametrize(("rows", "written", "model"), [
    pytest.param(*case, marks=marks) for marks, cases in (
        ((), (("buckets", None, SOL), ("calls", "0", HAIKU))),
        (pytest.mark.full, (("buckets", None, HAIKU), ("buckets", "0", SOL), ("buckets", "0", HAIKU),
                            ("calls", None, SOL), ("calls", None, HAIKU), ("calls", "0", SOL))))
    for case in cases])
def test_a_forecast_made_of_a_log_holds_for_that_log_whatever_its_vendor_asks_for_writing_to_a_cache(
    tmp_path, rows, written, model,
):
    """Half of the calls read 2,000 of 3,000 tokens from the cache; no column tells of writes, or it says none."""
    provider, name = model.split("/")
    columns = {"provider": provider, "model": name, "output_tokens": 90, **({"cache_write_tokens": written} if written else {})}
    bucket = {"requests": 24, "input_tokens": 24 * 3000, "cached_tokens": 12 * 2000, "output_tokens": 24 * 90}
    days, log, made = [f"2026-10-{day:02}" for day in range(1, 32)], tmp_path / "log.csv", tmp_path / "made.yaml"
    told = [{"time": day, **columns, **bucket} for day in days] if rows == "buckets" else [
        {"time": f"{day}T{hour:02}:30:00Z", **columns, "input_tokens": 3000, "cached_tokens": 2000 * (hour % 2)}
        for day in days for hour in range(24)]
    lines = (told[0], *(each.values() for each in told))
    log.write_text("\n".join(",".join(map(str, line)) for line in lines), encoding="utf-8")
    done = roi("init", made, "--usage", log, "--as-of", "2026-11-24")
    assert done.exit_code == 0, done.stderr
    asked = ("--option", "stay", "--since", "2026-10", "--actual", log, "--draws", "256", "--format", "json")
    done = roi("track", made, *asked)
    assert done.exit_code == 0, done.stderr
    listed = json.loads(roi("usage", log, "--tasks", "0", "--format", "json").stdout)["list_usd"]
    assert json.loads(done.stdout)["months"][0]["cash_usd"]["central"] == pytest.approx(listed, rel=0.001)


def test_an_invoice_in_another_currency_takes_the_last_rate_of_its_month(folder, tmp_path):
    """200 euros at $1.10 of November, which stands until January, and at $1.20 of 31 January; hours are no money."""
    rows = ("month,usd,gpu_hours,currency", "2026-12,200,0,EUR", "2027-01,200,0,eur", "2027-02,240,0,USD")
    (tmp_path / "bill.csv").write_text("\n".join(rows))
    rates = [word for rate in ("EUR=1.2@2027-01-31", "EUR=1.1@2026-11-30") for word in ("--exchange-rate", rate)]
    (tmp_path / "usage.csv").write_text(export("gpt-6-luna", 3))
    found = told(folder, "--actual", tmp_path / "usage.csv", "--bill", tmp_path / "bill.csv", *rates)
    assert [m["cash_usd"]["came"] for m in found["months"]] == pytest.approx([220.0, 240.0, 240.0])
    assert not [note for note in found["notes"] if "nothing here is in" in note]  # the invoice is, the export is not
    plain = track(folder, "--bill", tmp_path / "bill.csv", "--exchange-rate", "GBP=1.3@2026-11-30")
    assert plain.exit_code == 2
    assert "currency: 'EUR' is not usable; USD, or with --exchange-rate EUR=1.08@2026-10-31" in plain.stderr


def test_a_bill_alone_passes_no_signpost_and_no_limit_of_a_price(tmp_path, folder):
    """At 40 times its price luna costs more than staying; 40 times the bill may be 40 times the calls."""
    (tmp_path / "bill.csv").write_text(f"month,usd\n2026-12,{40 * 231.756}\n")
    (tmp_path / "usage.csv").write_text(export("gpt-6-luna", 1, usd=40 * LUNA_USD))
    alone = track(folder, "--bill", tmp_path / "bill.csv", "--limit", "price_factor=1.2")
    counted = track(folder, "--bill", tmp_path / "bill.csv", "--actual", tmp_path / "usage.csv", "--limit", "price_factor=1.2")
    assert alone.exit_code == counted.exit_code == 3
    said = [" ".join(each.stdout.split()) for each in (alone, counted)]
    assert ["A signpost lies behind us: the price" in each for each in said] == [False, True]
    assert ["Limit not told: price_factor: no file given tells it" in each for each in said] == [True, False]
    assert ["A bill without calls and tokens, in 2026-12: price and volume" in each for each in said] == [True, False]
    asked = "at the forecast's prices: is it in cents, or of other work too?"
    assert f"The bill of 2026-12 is 40.000 x what the forecast's calls cost {asked}" in said[0]
    assert f"The bill of 2026-12 is 40.000 x what these calls and tokens cost {asked}" in said[1]


@pytest.mark.full
@pytest.mark.parametrize(("times", "asked"), [
    (2.9, None), (3.1, "is it in cents, or of other work too?"), (0.34, None),
    (0.32, "is it of the whole month, and of all of this work?")])
def test_a_bill_three_times_what_its_calls_cost_or_a_third_of_it_is_asked_about(tmp_path, folder, times, asked):
    """The calls of December cost $231.756: 3 x that is $695.27, a third $77.25. Ten times the calls cost ten times."""
    (tmp_path / "usage.csv").write_text(export("gpt-6-luna", 1, usd=LUNA_USD))
    (tmp_path / "bill.csv").write_text(f"month,usd\n2026-12,{times * 231.756:.6f}\n")
    said = " ".join(track(folder, "--bill", tmp_path / "bill.csv", "--actual", tmp_path / "usage.csv").stdout.split())
    assert ("The bill of 2026-12 is" in said) is (asked is not None)
    assert asked is None or asked in said
    assert ("if the bill of 2026-12 is right:" in said) is (asked is not None)
    found = told(folder, "--bill", tmp_path / "bill.csv", "--actual", tmp_path / "usage.csv")
    assert [(each["month"], each["times"], each["by_calls"]) for each in found["bills_asked"]] == (
        [] if asked is None else [("2026-12", pytest.approx(times, rel=1e-4), True)])
    assert not (found["bills_asked"] and found["on_course"])
    (tmp_path / "usage.csv").write_text(export("gpt-6-luna", 1, per_day=600_000, usd=LUNA_USD))
    (tmp_path / "bill.csv").write_text("month,usd\n2026-12,2317.56\n")
    more = " ".join(track(folder, "--bill", tmp_path / "bill.csv", "--actual", tmp_path / "usage.csv").stdout.split())
    assert "2,318" in more
    assert "The bill of 2026-12 is" not in more


@pytest.mark.full
def test_months_of_a_bill_that_are_not_judged_are_told_why_in_a_report_that_is_kept(tmp_path, folder):
    """24 months from December 2026 end with November 2028. The screen has them on stderr beside it."""
    (tmp_path / "usage.csv").write_text(export("gpt-6-luna", 1, usd=LUNA_USD))
    (tmp_path / "bill.csv").write_text("month,usd\n2026-11,1\n2026-12,231.756\n2027-01,1\n2028-12,1\n")
    words = ("--bill", tmp_path / "bill.csv", "--actual", tmp_path / "usage.csv")
    kept, screen = track(folder, *words, "--format", "markdown"), track(folder, *words)
    for told in ("what it says of 2026-11 is left out: before the decision, whose month 1 is 2026-12",
                 "what it says of 2027-01 is left out: --actual covers no such month whole",
                 "what it says of 2028-12 is left out: past the horizon, which ends with 2028-11"):
        assert f"- --bill: {told}" in kept.stdout
        assert told in screen.stderr
        assert told not in screen.stdout


@pytest.mark.full
@pytest.mark.parametrize(("option", "left"), [(LUNA, 1.0), ("cheaper-api:anthropic/claude-haiku-4-5", 0.0)])
def test_what_a_commitment_asks_is_paid_where_no_bill_says_what_was(option, left, tmp_path):
    """docs/economics.md, 4.8. OpenAI is owed $30,000 a month, however many days it has. At 1.3 times its price gpt-6-luna,
    of the same provider, costs 1.3 x 231.756 of that; as much at another provider is paid on top. A bill that
    says 231.756 is all that was paid.
    """
    incumbent = {**SCENARIO["incumbent"], "committed_usd_per_month": 30_000, "committed_until": "2027-01-30"}
    asked = {**SCENARIO, "incumbent": incumbent, "candidates": {"api_models": [option.partition(":")[2]], "cascade_first": []}}
    (tmp_path / "owed.yaml").write_text(yaml.safe_dump(asked))
    provider, _, model = option.partition(":")[2].partition("/")
    (tmp_path / "usage.csv").write_text(export(model, 3, usd=1.3 * LUNA_USD).replace(",openai,", f",{provider},"))
    words = ("--option", option, "--actual", tmp_path / "usage.csv")
    found = told(tmp_path, *words, file="owed.yaml")
    runs = 68 / (365 / 12) - 2
    used = [1.3 * days * 60_000 * LUNA_USD for days in (31, 31, 28)]
    owed = [part * (30_000 - left * usd) for part, usd in zip((1.0, 1.0, runs), used, strict=True)]
    assert [m["cash_usd"]["came"] for m in found["months"]] == pytest.approx([a + b for a, b in zip(used, owed, strict=True)])
    assert f"counted as paid, ${owed[0]:,.0f} in 2026-12, ${owed[1]:,.0f} in 2027-01" in found["notes"][-1]
    said = " ".join(track(tmp_path, *words, file="owed.yaml").stdout.split())
    assert "own costs and what commitments ask beyond them, which no bill tells" in said
    (tmp_path / "bill.csv").write_text("month,usd\n2026-12,231.756\n2027-01,231.756\n2027-02,231.756\n")
    billed = told(tmp_path, *words, "--bill", tmp_path / "bill.csv", file="owed.yaml")
    assert [m["cash_usd"]["came"] for m in billed["months"]] == pytest.approx([231.756] * 3)
    assert not any("commitment" in note for note in billed["notes"])


@pytest.mark.full
def test_units_of_today_cost_the_same_in_every_month_and_no_export_tells_their_fee(tmp_path):
    """docs/economics.md, 4.17. Fifty at $200 are $10,000 in a month of 28 days as in one of 31: a bill that says so is as
    forecast, at x1.00. What an export's tokens cost at list price is no bill of them.
    """
    units = {"units": 50, "usd_per_month": 200, "peak_utilization": 0.7, "committed_until": "2027-03-31"}
    asked = {**SCENARIO, "incumbent": {**SCENARIO["incumbent"], "provisioned_throughput": units}}
    (tmp_path / "units.yaml").write_text(yaml.safe_dump(asked))
    (tmp_path / "usage.csv").write_text(export("gpt-6-sol", 3, usd=SOL_USD))
    (tmp_path / "bill.csv").write_text("month,usd\n2026-12,10000\n2027-01,10000\n2027-02,10000\n")
    words = ("--option", "stay", "--actual", tmp_path / "usage.csv")
    billed = told(tmp_path, *words, "--bill", tmp_path / "bill.csv", file="units.yaml")
    assert [m["price_factor"]["came"] for m in billed["months"]] == pytest.approx([1.0] * 3)
    assert [m["cash_usd"]["came"] for m in billed["months"]] == pytest.approx([10_000.0] * 3)
    alone = told(tmp_path, *words, file="units.yaml")
    assert [m["price_factor"]["came"] for m in alone["months"]] == [None] * 3
    said = "no fee of units or seats is taken from an export: what was paid in 2026-12, 2027-01, 2027-02"
    assert f"{said} is not known without --bill" in alone["notes"]


@pytest.mark.full
def test_what_is_short_of_a_commitment_follows_from_each_models_own_cost_and_is_no_price(tmp_path):
    """15 of 31 days on gpt-6-sol, 15 x 60,000 x 0.0041 = $3,690; the others at another provider for 0.02 each, 19,200. OpenAI
    is owed 30,000 - 3,690 whatever that provider bills, and prices are those of a decision without a commitment, as 0.02
    is in January, with a bill of all that was paid too. At 3 times its price gpt-6-luna, at OpenAI, still leaves 30,000 to pay.
    """
    haiku = "anthropic/claude-haiku-4-5"
    apis = {"api_models": [haiku, "openai/gpt-6-luna"], "cascade_first": []}
    asked = {**SCENARIO, "candidates": apis, "timing": {"months_to_live": {"api": 15 / 31}, "months_in_parallel": 0}}
    (tmp_path / "free.yaml").write_text(yaml.safe_dump(asked))
    incumbent = {**SCENARIO["incumbent"], "committed_usd_per_month": 30_000, "committed_until": "2028-01-30"}
    (tmp_path / "owed.yaml").write_text(yaml.safe_dump({**asked, "incumbent": incumbent}))
    (tmp_path / "bill.csv").write_text("month,usd\n2026-12,49200\n2027-01,67200\n")

    def months(model, usd, *words, file):
        head, *new = export(model, 2, usd=usd, cached=0).splitlines()
        old = export("gpt-6-sol", 2, usd=SOL_USD, cached=0).splitlines()[1:16]
        rows = "\n".join([head, *old, *new[15:]])
        (tmp_path / "usage.csv").write_text(rows.replace(",openai,claude", ",anthropic,claude") + "\n")
        words = ("--option", f"cheaper-api:{model}", "--actual", tmp_path / "usage.csv", *words)
        found = told(tmp_path, *words, file=file)
        came, central = (sum(m["cash_usd"][name] for m in found["months"]) for name in ("came", "central"))
        assert sum(e["cash_usd"] for e in found["effects"]) == pytest.approx(came - central, abs=0.02)
        return [m["cash_usd"]["came"] for m in found["months"]], [m["price_factor"]["came"] for m in found["months"]]

    free, owed, billed = (months(haiku, 0.02, *words, file=file) for file, *words in (
        ("free.yaml",), ("owed.yaml",), ("owed.yaml", "--bill", tmp_path / "bill.csv")))
    assert free[0] == pytest.approx([3_690 + 19_200, 37_200])
    assert owed[0] == pytest.approx([3_690 + 19_200 + 26_310, 37_200 + 30_000])
    assert billed[0] == pytest.approx([49_200, 67_200])
    assert owed[1] == pytest.approx(free[1])
    assert billed[1] == pytest.approx(free[1])
    free, owed = (months("openai/gpt-6-luna", 3 * LUNA_USD, file=file) for file in ("free.yaml", "owed.yaml"))
    assert owed[0] == pytest.approx([30_000, 30_000])
    assert owed[1] == pytest.approx(free[1])


@pytest.mark.full
def test_what_is_billed_beyond_two_vendors_commitments_leaves_the_others_shortfall_out_of_the_price(tmp_path):
    """15 of 31 days on gpt-6-sol, $3,690 of the 30,000 that OpenAI is owed; 16 at 0.02 a call elsewhere, 19,200 of the
    50,000 x 16 / 31 owed there. Of 58,000 billed 26,310 are OpenAI's shortfall, the rest is calls. In January 80,000 are owed.
    """
    haiku = "anthropic/claude-haiku-4-5"
    incumbent = {**SCENARIO["incumbent"], "committed_usd_per_month": 30_000, "committed_until": "2028-01-30"}
    asked = {**SCENARIO, "incumbent": incumbent, "candidates": {"api_models": [haiku], "cascade_first": []},
             "apis": {haiku: {"committed_usd_per_month": 50_000, "committed_until": "2028-01-30"}},
             "timing": {"months_to_live": {"api": 15 / 31}, "months_in_parallel": 0}}
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(asked))
    head, *new = export("claude-haiku-4-5", 2, usd=0.02, cached=0).replace(",openai,", ",anthropic,").splitlines()
    old = export("gpt-6-sol", 2, usd=SOL_USD, cached=0).splitlines()[1:16]
    (tmp_path / "usage.csv").write_text("\n".join([head, *old, *new[15:]]) + "\n")
    prices = []
    for december in (55_806.45, 58_000):
        (tmp_path / "bill.csv").write_text(f"month,usd\n2026-12,{december}\n2027-01,80000\n")
        found = told(tmp_path, "--option", f"cheaper-api:{haiku}", "--actual", tmp_path / "usage.csv", "--bill",
                     tmp_path / "bill.csv", file="two.yaml")
        came, central = (sum(m["cash_usd"][name] for m in found["months"]) for name in ("came", "central"))
        assert sum(e["cash_usd"] for e in found["effects"]) == pytest.approx(came - central, abs=0.02)
        prices.append([m["price_factor"]["came"] for m in found["months"]])
    assert prices[1][0] / prices[0][0] == pytest.approx((58_000 - 26_310) / (3_690 + 19_200), rel=1e-5)
    assert prices[1][1] == pytest.approx(prices[0][1])


def test_a_bill_of_what_a_commitment_asks_is_the_forecasts_in_months_of_every_length(tmp_path):
    """$30,000 are billed for 31 and 28 days alike; gpt-6-luna's own calls would cost 209 to 232 of it,
    and those alone have a luck of their own, some 7% a month."""
    incumbent = {**SCENARIO["incumbent"], "committed_usd_per_month": 30_000, "committed_until": "2028-01-30"}
    (tmp_path / "owed.yaml").write_text(yaml.safe_dump({**SCENARIO, "incumbent": incumbent}))
    (tmp_path / "bill.csv").write_text("month,usd\n2026-12,30000\n2027-01,30000\n2027-02,30000\n")
    found = told(tmp_path, "--option", LUNA, "--bill", tmp_path / "bill.csv", file="owed.yaml")
    months = found["months"]
    assert found["effects"] == []
    assert [m["cash_usd"]["central"] for m in months] == pytest.approx([30_000] * 3)
    assert all(30_000 - 0.1 * 232 < m["cash_usd"]["low"] < m["cash_usd"]["high"] < 30_000 + 0.1 * 232 for m in months)


@pytest.mark.full
def test_what_is_billed_beyond_a_commitment_and_the_calls_is_a_price(tmp_path):
    """$30,000 are owed; 31 x 60,000 calls of gpt-6-luna cost 231.756 by the export. 45,000 billed are 45,000 / 231.756 times
    that and leave nothing owed, with the export and without; 30,000 are the calls and what is owed; 20,000 too few to be both.
    """
    incumbent = {**SCENARIO["incumbent"], "committed_usd_per_month": 30_000, "committed_until": "2028-01-30"}
    (tmp_path / "owed.yaml").write_text(yaml.safe_dump({**SCENARIO, "incumbent": incumbent}))
    (tmp_path / "usage.csv").write_text(export("gpt-6-luna", 2, usd=LUNA_USD))
    for usd, price, fact in ((45_000, 45_000 / 231.756, "price"), (30_000, 1.0, None), (20_000, 1.0, "commitments")):
        (tmp_path / "bill.csv").write_text(f"month,usd\n2026-12,{usd}\n2027-01,{usd}\n")
        for words in ((), ("--actual", tmp_path / "usage.csv")):
            found = told(tmp_path, "--option", LUNA, *words, "--bill", tmp_path / "bill.csv", file="owed.yaml")
            if words or usd >= 30_000:
                came = [m["price_factor"]["came"] for m in found["months"]]
                assert came == (pytest.approx([price] * 2) if words else [None, None])
                effects = {e["fact"]: e["cash_usd"] for e in found["effects"]}
                assert list(effects) == ([] if fact is None else [fact if words else f"{fact} or volume"])
                assert sum(effects.values()) == pytest.approx(2 * (usd - 30_000), abs=0.02)


def test_a_scenario_and_its_saved_comparison_say_the_same(folder):
    one, other = (told(folder, "--bill", folder / "bill.csv", file=file) for file in ("saved.json", "mail.yaml"))
    assert {**one, "notes": []} == {**other, "notes": [], "warnings": one["warnings"]}


@pytest.mark.full
def test_what_the_set_up_cost_narrows_the_payback_and_is_asked_for():
    examples = Path(__file__).parents[2] / "examples"
    asked = ("track", examples / "tickets.yaml", "--actual", examples / "tracked_usage.csv", "--draws", "256")
    open_, known = (roi(*asked, *words).stdout for words in ((), ("--setup", "4000")))
    assert "(--setup narrows it)" in " ".join(open_.split())
    assert "--setup" not in known


def test_a_limit_that_is_passed_leaves_with_3_and_says_by_how_much(folder):
    done = track(folder, "--bill", folder / "bill.csv", "--limit", "cash_usd_per_month=250", "--limit", "payback_months=2")
    assert done.exit_code == 3
    assert "! Limit passed: cash_usd_per_month: 300; limit 250" in " ".join(done.stdout.split())
    assert "50 past it" in " ".join(done.stdout.split())
    assert track(folder, "--bill", folder / "bill.csv", "--limit", "payback_months=2").exit_code == 0


def test_a_limit_that_nothing_tells_does_not_hold(folder):
    assert track(folder, "--bill", folder / "bill.csv", "--limit", "wrong_share=0.1").exit_code == 3


def test_months_are_kept_once_and_corrected_beside(folder, tmp_path):
    kept, first, other = tmp_path / "kept", tmp_path / "first.csv", tmp_path / "other.csv"
    first.write_text("month,usd\n2026-12,231\n")
    other.write_text("month,usd\n2026-12,240\n2027-01,230\n")
    assert track(folder, "--bill", first, "--folder", kept).exit_code == 0
    before = (kept / "2026-12.json").read_bytes()
    assert track(folder, "--bill", first, "--folder", kept).exit_code == 0
    refused = track(folder, "--bill", other, "--folder", kept)
    assert refused.exit_code == 2
    assert "2026-12 already, with other figures: api_usd 231 there, 240 here; --revise" in refused.stderr
    assert sorted(path.name for path in kept.iterdir()) == ["2026-12.json"]
    assert track(folder, "--bill", other, "--folder", kept, "--revise").exit_code == 0
    assert sorted(path.name for path in kept.iterdir()) == ["2026-12.2.json", "2026-12.json", "2027-01.json"]
    assert (kept / "2026-12.json").read_bytes() == before
    assert [m["cash_usd"]["came"] for m in told(folder, "--folder", kept)["months"]] == pytest.approx([240.0, 230.0])


def test_of_several_figures_that_differ_the_first_of_the_form_is_told_and_one_that_a_file_lacks_too(tmp_path):
    decision = {"title": "x", "as_of": "2026-11-24", "option": "stay", "first_month": "2026-12"}
    names = ("calls", "input_tokens", "output_tokens", "api_usd", "calls_usd", "gpu_usd")
    first, other = ({"month": "2026-12", "decision": decision, **dict.fromkeys(names, figure)} for figure in (5.0, 6.0))
    keep_months(tmp_path, [TrackedMonth.model_validate(first)], revise=False)
    with pytest.raises(InputError, match="with other figures: calls 5 there, 6 here; --revise"):
        keep_months(tmp_path, [TrackedMonth.model_validate(other)], revise=False)
    file = tmp_path / "2026-12.json"
    file.write_text(json.dumps({name: x for name, x in json.loads(file.read_text()).items() if name != "api_usd"}))
    with pytest.raises(InputError, match="with other figures: api_usd None there, 5 here; --revise"):
        keep_months(tmp_path, [TrackedMonth.model_validate(first)], revise=False)


def test_the_folder_keeps_what_was_chosen_and_when(folder, tmp_path):
    bill = tmp_path / "later.csv"
    bill.write_text("month,usd\n2027-02,4500\n")
    assert track(folder, "--bill", bill, "--folder", tmp_path / "kept", "--since", "2027-02", "--option", CACHE).exit_code == 0
    found = told(folder, "--folder", tmp_path / "kept")
    assert (found["option"], found["months"][0]["month"]) == (CACHE, "2027-02")


def test_a_kept_month_of_another_decision_or_schema_is_refused(folder, tmp_path):
    assert track(folder, "--bill", folder / "bill.csv", "--folder", tmp_path).exit_code == 0
    other = track(folder, "--folder", tmp_path, "--option", CACHE)
    assert other.exit_code == 2
    assert "2026-12 belongs to another decision" in other.stderr
    path = tmp_path / "2026-12.json"
    kept = json.loads(path.read_text())
    for wrong in (True, "12"):
        path.write_text(json.dumps(kept | {"api_usd": wrong}))
        done = track(folder, "--folder", tmp_path)
        assert done.exit_code == 2
        assert f"api_usd: {str(wrong)!r} is not usable" in done.stderr
    path.write_text(json.dumps(kept))
    assert track(folder, "--folder", tmp_path).exit_code == 0
    path.write_text(path.read_text().replace("roi.tracked-month/1", "roi.tracked-month/9"))
    done = track(folder, "--folder", tmp_path)
    assert done.exit_code == 2
    assert "schema: 'roi.tracked-month/9' cannot be read; it should be 'roi.tracked-month/1'" in done.stderr


@pytest.mark.parametrize(("text", "said"), [
    ("month,usd\n2026-12,1\n2026-12,2\n", "2026-12 is there twice"),
    ("month,usd,currency\n2026-12,1,EUR\n", "currency: 'EUR' is not usable; USD"),
    ("month,usd\n2026-11,1\n2026-12,1\n", "2026-11 is before month 1 of the decision, 2026-12; --since 2026-11"),
    ("month,usd\n2026-12,1\n2027-02,1\n", "--bill: 2027-01 missing: months follow each other from 2026-12; give them too"),
    ("month,usd\n2027-01,1\n", "--bill: 2026-12 missing: months follow each other from 2026-12; --since 2027-01 where"),
    ("month;usd\n2026-12;1\n", "columns are apart by ';'; commas"),
    ("month,usd\n2199-12,0\n", ": 2199-12 is not over by this machine's clock"),
    ("month,amount\n2026-12,1\n", "unknown column 'amount'; there are month, usd, gpu_usd, gpu_hours, currency"),
    ("month,usd\n2026-12,-1\n", "'-1' is not usable"),
    ("month,usd\n2026-12,1,000\n", "3 cells; 2 as the head has"),
    ("month,usd\nDec 26,1\n", "'Dec 26' is not usable; a month like 2026-12"),
    ("", "bill.csv: empty"), ("usd,month\n", "no month"),
])
def test_a_bad_invoice_is_one_message(folder, tmp_path, text, said):
    path = tmp_path / "bill.csv"
    path.write_text(text)
    done = track(folder, "--bill", path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_month_that_is_not_over_is_left_out_and_the_others_are_judged(folder, tmp_path):
    """2199-12 has no bill yet; 2026-12 has one."""
    path = tmp_path / "bill.csv"
    path.write_text("month,usd\n2026-12,9000\n2199-12,0\n")
    done = track(folder, "--bill", path, "--format", "json")
    assert [month["month"] for month in json.loads(done.stdout)["months"]] == ["2026-12"]
    assert "--bill: what it says of 2199-12 is left out: not over by this machine's clock" in done.stderr


@pytest.mark.parametrize(("words", "said"), [
    (["--limit", "cash=1"], "unknown limit 'cash'; nearest: cash_over"),
    (["--limit", "payback_months=soon"], "'soon' is not usable; a number"),
    (["--limit", "cash_over=-3"], "--limit: cash_over: '-3' is not usable; a number from -1"),
    (["--limit", "held_share=2"], "'2' is not usable; a number from 0 to 1"),
    (["--since", "2026-13"], "--since: '2026-13' is not usable"),
    (["--since", "2099-01"], "roi: --since: 2099-01 is not among the months of --bill, 2026-12 to 2027-02\n"),
    (["--option", "luna"], "unknown option 'luna'; nearest: gpt-6-luna"),
    (["--draws", "0"], "draws: 0 make no band; at least 100, better 4096"),
    (["--revise"], "--revise: without effect"),
    (["--setup", "nan"], "--setup: nan is not usable"),
    (["--option", ""], "unknown option ''; known: gpt-6-sol"),
])
def test_a_bad_option_is_one_message(folder, words, said):
    done = track(folder, "--bill", folder / "bill.csv", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize(("score", "inside", "code"), [
    ({"value": 0.94, "items": 400}, True, 0), ({"value": 0.80, "items": 400}, False, 3),
    ({"value": 0.80, "low": 0.7, "high": 0.95}, True, 3),
])
def test_errors_are_held_against_an_evaluation_with_its_own_interval(folder, tmp_path, score, inside, code):
    """6% were forecast for sure. 80 of 400 wrong are 16.9% to 23.5% (90%); 24 of 400, 4.3% to 8.2%."""
    part = tmp_path / "quality.yaml"
    part.write_text(yaml.safe_dump({"schema": "roi.quality-part/1", "quality": {"scores": {"gpt-6-luna": score}}}))
    words = ["--bill", folder / "bill.csv", "--quality", part]
    found = told(folder, *words)["months"]
    assert [m["wrong_share"]["inside"] for m in found] == [None, None, inside]
    assert found[2]["wrong_share"]["came"] == pytest.approx(1 - score["value"])
    assert track(folder, *words, "--limit", "wrong_share=0.1").exit_code == code


def test_an_evaluation_of_other_systems_names_them(folder, tmp_path):
    part = tmp_path / "quality.yaml"
    part.write_text(yaml.safe_dump({"schema": "roi.quality-part/1", "quality": {"scores": {"gpt-6-lunar": 0.9}}}))
    done = track(folder, "--bill", folder / "bill.csv", "--quality", part)
    assert done.exit_code == 2
    assert "unknown system in this evaluation: 'gpt-6-luna'; nearest: gpt-6-lunar" in done.stderr
    part.write_text(part.read_text().replace("lunar: 0.9", "luna: 9"))
    done = track(folder, "--bill", folder / "bill.csv", "--quality", part)
    assert "quality.scores.gpt-6-luna.value: '9' is not usable; it should be less than or equal to 1" in done.stderr
    part.write_text(part.read_text().replace("luna: 9", "luna: 0.94"))
    done = track(folder, "--bill", folder / "bill.csv", "--quality", part)
    assert (done.exit_code, "does not say on how many items" in done.stderr) == (0, True)


def test_nothing_to_track_says_what_may_be_given(folder):
    done = track(folder)
    assert done.exit_code == 2
    assert "nothing to track; give a usage export, --bill" in done.stderr


def test_months_beyond_the_horizon_are_refused(folder, tmp_path):
    names = [f"{2026 + (11 + k) // 12}-{(11 + k) % 12 + 1:02d}" for k in range(25)]
    path = tmp_path / "bill.csv"
    path.write_text("month,usd\n" + "".join(f"{name},200\n" for name in names))
    done = track(folder, "--bill", path)
    assert done.exit_code == 2
    assert "2028-12 is month 25; the comparison ends with month 24" in done.stderr


@pytest.mark.full
def test_where_figures_miss_their_bands_more_often_than_chance_makes_them_it_is_not_on_course(folder, tmp_path):
    """gpt-6-luna at 1.3 times its price pays back as soon, within the band, but its price is outside in all months."""
    said = {}
    for name, made in (("as forecast", {}), ("dear", {"usd": 1.3 * LUNA_USD})):
        (tmp_path / "usage.csv").write_text(export("gpt-6-luna", 3, **made))
        said[name] = " ".join(track(folder, "--actual", tmp_path / "usage.csv", "--option", LUNA).stdout.split())
        on_course = told(folder, "--actual", tmp_path / "usage.csv", "--option", LUNA)["on_course"]
        assert on_course is (name == "as forecast")
    assert "COURSE On course: pays back in" in said["as forecast"]
    assert "COURSE In time, but not as forecast: pays back in" in said["dear"]
    assert "the forecast did not expect this: of the price 0 of 3 do" in said["dear"]


def test_who_answers_is_told_in_words_where_the_old_model_stays_for_longer(tmp_path):
    """Live from January with half a month in parallel: of January's 1.5 calls a request 2/3 at the new model. Parallel for 22
    days of January, and 9 of the old model alone: 22 / (22 + 31) = 41.5%."""
    (tmp_path / "slow.yaml").write_text(yaml.safe_dump({**SCENARIO, "timing": {"months_to_live": {"api": 1},
                                                                              "months_in_parallel": 0.5}}))
    old, new = export("gpt-6-sol", 2, cached=0, usd=SOL_USD), export("gpt-6-luna", 3).splitlines()[1:]
    (tmp_path / "usage.csv").write_text(old + "\n".join(row for row in new if row >= "2027-01-10") + "\n")
    done = roi("track", tmp_path / "slow.yaml", "--option", LUNA, "--actual", tmp_path / "usage.csv")
    assert done.exit_code == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert ("Share of calls, of which the new model had 41.5% in 2027-01, forecast 66.7% (live later, or the old model kept for"
            " longer beside it than timing.months_in_parallel says); +$") in text
    assert "where it holds now" not in text


@pytest.mark.full
@pytest.mark.parametrize(("option", "made", "first", "day"), [
    (LUNA, {}, None, "2027-01-03"),
    (LUNA, {"usd": 1.3 * LUNA_USD}, "price", "2027-01-03"),
    (LUNA, {"per_day": 30000}, "volume", "2027-02-06"),
    (CACHE, {"usd": cached_usd(0.4), "cached": 480}, "cache rate", "2027-03-10"),
])
def test_a_made_year_names_its_fact_first_and_the_day_of_payback(folder, tmp_path, option, made, first, day):
    """Days by the arithmetic in tests/economics/tracking: 1.0819 and 1.0922 months are 2.5 and 2.9 days into January, 2.1814
    are 5.1 days into February, 3.2970 are 9.2 days into March."""
    path = tmp_path / "usage.csv"
    path.write_text(export("gpt-6-sol" if option == CACHE else "gpt-6-luna", 12, **made))
    found = told(folder, "--actual", path, "--option", option)
    assert [e["fact"] for e in found["effects"] if abs(e["cash_usd"]) >= 0.01][:1] == ([first] if first else [])
    assert found["payback"]["now"]["day"] == day
    assert found["on_course"] is (first is None)
    assert found["bands"]["inside"] == (72 if first is None else 48)


@pytest.mark.full
def test_the_page_holds_the_months_and_a_picture_of_their_cash(folder, tmp_path):
    target = tmp_path / "months.html"
    assert track(folder, "--bill", folder / "bill.csv", "--html", target).exit_code == 0
    page = target.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "2027-02: $300, outside its band" in page
    assert "--force" in track(folder, "--bill", folder / "bill.csv", "--html", target).stderr


def lines(months=1, per_day=60000, model="gpt-6-luna"):
    """The head of an export from 1 December 2026 on, and a row a day."""
    return export(model, months, per_day=per_day).splitlines()


def without(days, rows):
    return [row for k, row in enumerate(rows) if k not in days]


def negative(days, rows):
    """Requests below nothing on these days."""
    return [row.replace(",60000,", ",-60000,", 1) if k in days else row for k, row in enumerate(rows)]


def tenths(lost):
    """Ten rows in place of that of December 12, `lost` of them without a model: 3 are 0.3 of 31 days, 4 are 0.4."""
    rows, tenth = lines(), lines(per_day=6000)[12]
    return [*rows[:12], *(tenth.replace("gpt-6-luna", "") if k < lost else tenth for k in range(10)), *rows[13:]]


GAP = "2026-12 is left out: 30 of its 31 days are covered whole, in UTC (2026-12-12 has rows left out)"


@pytest.mark.parametrize(("rows", "code", "said"), [
    (without((*range(10, 18), 24), lines()), 2, (
        "2026-12 is left out: 9 of its 31 days have no row (2026-12-10 to 2026-12-17, 2026-12-24); export them too",)),
    (without((10, 11, 12), lines(2)), 2, (
        "2026-12 missing (2026-12 is left out: 3 of its 31 days have no row (2026-12-10 to 2026-12-12)",)),
    (negative((12,), lines()), 2, ("1 row left out: a negative number of requests", GAP)),
    (tenths(3), 0, ("2026-12 counts although 2026-12-12 has rows left out: about 0.97% of the month is missing",)),
    (tenths(4), 2, (GAP,)),
    (without((5, 6, 12, 13, 19, 20, 26, 27), lines()), 0, ()),  # 5 December 2026 is a Saturday
    *(pytest.param(*case, marks=pytest.mark.full) for case in (
        (negative(range(1, 32), lines(2)), 2, (
            "--actual: 2026-12 missing (31 rows left out: a negative number of requests (",)),
        (lines(model="gpt-6-mini"), 2, ("unknown model in these files: 'openai/gpt-6-luna'; nearest: gpt-6-mini",)),
        (lines(3)[:50], 0, ("2027-01 is left out: 18 of its 31 days",)),  # 49 days: December, and 18 days of January
        ([lines()[0], "2026-12-01,openai,gpt-6-luna,x,y,z,1,1"], 2, ()),
        (without((9, 23), lines(per_day=4)), 0, (
            "taken as days without a call, since there are few: 2026-12-09, 2026-12-23",)))),
])
def test_a_month_that_is_not_covered_whole_says_why_and_quiet_days_are_no_gap(folder, tmp_path, rows, code, said):
    path = tmp_path / "usage.csv"
    path.write_text("\n".join(rows) + "\n")
    done = track(folder, "--actual", path, "--format", "json")
    told = " ".join(done.stderr.split())
    assert (done.exit_code, [words in told for words in said]) == (code, [True] * len(said)), done.stderr
    if code == 0 and len(rows) < 32:
        per_day = int(rows[1].split(",")[3])
        assert json.loads(done.stdout)["months"][0]["calls"]["came"] == (len(rows) - 1) * per_day


def test_a_row_of_no_requests_tells_a_day_without_calls(folder, tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text("\n".join([*without((9,), lines()), "2026-12-09,openai,gpt-6-luna,0,0,0,0,0\n"]))
    assert told(folder, "--actual", path)["months"][0]["calls"]["came"] == 30 * 60000


@pytest.mark.full
def test_a_price_is_weighed_by_what_was_paid_and_a_share_of_calls_is_the_same_in_every_form():
    """The example: luna's 1.3 in January's half and in February, and nothing of December, in which sol alone was called."""
    words = ("examples/tickets.yaml", "--actual", "examples/tracked_usage.csv")
    found = json.loads(roi("track", *words, "--format", "json").stdout)
    factors = {each["fact"]: each["factor"] for each in found["effects"]}
    assert factors["price"] == pytest.approx(1.3, abs=1e-5)
    assert factors["share of calls"] == pytest.approx(1.005, abs=5e-4)
    screen = roi("track", *words, "--full").stdout
    rows = {line.split("  ")[0]: line.split() for line in screen.split("What was off")[1].split("\n\n")[0].splitlines() if line}
    assert {name: rows[name][-3] for name in factors} == {name: f"{x:.3f}" for name, x in factors.items()}
    cash = [row.split()[1] for row in screen.split("Cash, USD")[1].split("\n\n")[0].splitlines()[2:]]
    assert cash == [row.split()[1] for row in screen.splitlines() if row.startswith(("2026-12", "2027-"))][:3]
    assert sum(int(x.replace(",", "")) for x in cash) == pytest.approx(found["cash_usd"], abs=1.5)


@pytest.mark.parametrize(("x", "told"), [(1.0, "1.000"), (1.3, "1.300"), (1.0004, "1.0004"), (0.99997, "0.99997")])
def test_a_factor_that_moved_cash_is_told_from_1(x, told):
    assert times(x) == told


@pytest.mark.full
def test_a_share_of_calls_as_forecast_of_models_that_were_not_called_together_is_told_by_the_go_live(tmp_path):
    """Live from mid-December with the old model beside it till its end is a third of 1.5 calls a request; 20 days of 33,000 and
    then 11 of 30,000, of one model each day, are a third too, of a model that was live after two thirds of the month."""
    (tmp_path / "half.yaml").write_text(yaml.safe_dump({**SCENARIO, "timing": {"months_to_live": {"api": 0.5},
                                                                               "months_in_parallel": 0.5}}))
    old, new = export("gpt-6-sol", 1, per_day=33000, cached=0, usd=SOL_USD), export("gpt-6-luna", 1, per_day=30000)
    (tmp_path / "usage.csv").write_text("\n".join([*old.splitlines()[:21], *new.splitlines()[21:]]) + "\n")
    words = ("track", tmp_path / "half.yaml", "--option", LUNA, "--actual", tmp_path / "usage.csv")
    factors = {each["fact"]: each["factor"] for each in json.loads(roi(*words, "--format", "json").stdout)["effects"]}
    assert factors["share of calls"] == pytest.approx(4 / 3, rel=1e-3)
    said = " ".join(roi(*words).stdout.split())
    assert "hare of calls: as forecast, 33.3% in 2026-12, but live after 0.667 months, forecast 0.5." in said


def test_what_is_assumed_of_a_month_in_parallel_stands_under_the_table(folder, tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text(export("gpt-6-luna", 1) + export("gpt-6-sol", 1, per_day=30000, usd=0.0041).split("\n", 1)[1])
    words = ("track", folder / "mail.yaml", "--actual", path, "--option", LUNA)
    done = roi(*words, "--set", "timing.months_in_parallel=0.5")
    assert done.exit_code == 0, done.stderr
    assert "in parallel both models are called for each request, in 2026-12: 0.50 of the month" in " ".join(done.stdout.split())


@pytest.mark.parametrize("told", [("--actual",), ("--actual", "--bill"), ("--bill",)])
def test_an_incumbent_that_grew_dearer_before_it_was_left_makes_staying_dearer(tmp_path, told):
    """gpt-6-sol for $246 x 1.3 a day in December, gpt-6-luna for $7.476 in January: staying would have cost 62 x 319.80."""
    (tmp_path / "late.yaml").write_text(yaml.safe_dump({**SCENARIO, "timing": {"months_to_live": {"api": 1},
                                                                               "months_in_parallel": 0}}))
    old, new = export("gpt-6-sol", 1, cached=0, usd=1.3 * SOL_USD), export("gpt-6-luna", 2).splitlines()[32:]
    (tmp_path / "usage.csv").write_text(old + "\n".join(new) + "\n")
    (tmp_path / "bill.csv").write_text("month,usd\n2026-12,9913.80\n2027-01,231.756\n")
    files = {"--actual": tmp_path / "usage.csv", "--bill": tmp_path / "bill.csv"}
    words = [word for name in told for word in (name, files[name])]
    found = json.loads(roi("track", tmp_path / "late.yaml", "--option", LUNA, "--format", "json", *words).stdout)
    assert found["earned_usd"] == pytest.approx(31 * 319.80 - 231.756 - 8000)
    fact = "incumbent's price" + (" or volume" if told == ("--bill",) else "")
    assert [(e["fact"], e["cash_usd"]) for e in found["effects"]] == [(fact, pytest.approx(31 * 73.8, abs=0.02))]


def test_a_bill_over_the_estimate_that_is_volume_is_told_under_the_table(folder):
    """Staying costs 60,000 x 365/12 x 0.0041; a bill of twice that, all of it volume, doubles the calls."""
    words = ("track", folder / "mail.yaml", "--bill", folder / "bill.csv", "--option", LUNA)
    usd = 2 * 60000 * 365 / 12 * 0.0041
    given = ("--set", f"incumbent.bill_usd_per_month={usd}", "--set", "incumbent.bill_is_volume_share=1")
    done = roi(*words, *given)
    assert done.exit_code == 0, done.stderr
    assert "The forecast's calls are the stated requests x2.000: that part" in " ".join(done.stdout.split())
    assert "stated requests" not in roi(*words).stdout


def test_the_limit_of_the_price_is_what_the_table_shows(folder, tmp_path):
    """1, 1 and 2 times the volume at the forecast's price: x1.00 each, although February's bill is twice January's."""
    path, rows = tmp_path / "usage.csv", export("gpt-6-luna", 3).splitlines()
    path.write_text("\n".join([*rows[:63], *export("gpt-6-luna", 3, per_day=120000).splitlines()[63:]]) + "\n")
    done = track(folder, "--actual", path, "--limit", "price_factor=1.02", "--format", "json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert [m["price_factor"]["came"] for m in found["months"]] == pytest.approx([1, 1, 1])
    assert found["limits"][0]["came"] == pytest.approx(1)


OWN = {
    **SCENARIO, "title": "Own", "candidates": {"api_models": [], "self_hosted": ["qwen3-4b"], "base": True, "hybrid": False},
    "quality": {"usd_per_error": 0, "scores": {"gpt-6-sol": 0.94, "qwen3-4b": 0.94}},
}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A decision for a server of one's own, and how many GPUs it planned for December."""
    found = tmp_path_factory.mktemp("own")
    (found / "own.yaml").write_text(yaml.safe_dump(OWN, sort_keys=False))
    done = roi("compare", found / "own.yaml", "--format", "json", "--output", found / "saved.json")
    assert done.exit_code == 0, done.stderr
    return found


SERVER = "self-hosted-base:qwen3-4b"


def opencost(hours, usd):
    """An answer with a set for each day of December."""
    days = [f"2026-12-{k:02d}T00:00:00Z" for k in range(1, 32)] + ["2027-01-01T00:00:00Z"]
    return {"code": 200, "data": [
        {"llm": {"name": "llm", "window": {"start": a, "end": b}, "gpuHours": hours * 0.75, "gpuCost": usd * 0.75},
         "__idle__": {"name": "__idle__", "window": {"start": a, "end": b}, "gpuHours": hours * 0.25, "gpuCost": usd * 0.25}}
        for a, b in pairwise(days)]}


@pytest.mark.full
def test_gpu_hours_and_rent_come_from_opencost(own, tmp_path):
    """24 x 4 GPU-hours a day for 31 days, idle ones included; $100 a day, before go-live: all of it beside the forecast."""
    path = tmp_path / "allocation.json"
    path.write_text(json.dumps(opencost(96.0, 100.0)))
    found = told(own, "--opencost", path, "--option", SERVER)
    assert found["months"][0]["gpu_hours"]["came"] == pytest.approx(31 * 96)
    assert found["records"][0]["gpu_usd"] == pytest.approx(3100)
    assert [(e["fact"], e["cash_usd"]) for e in found["effects"]] == [("GPU bill, forecast none", 3100)]
    gap = found["cash_usd"] - found["forecast_cash_usd"]
    assert sum(e["cash_usd"] for e in found["effects"]) == pytest.approx(gap, abs=0.006)


def test_gpus_billed_where_the_forecast_has_none_are_told_with_their_months_and_hours_without_a_price_are_too(folder, tmp_path):
    """$231.756 a month as forecast, and $800 and $700; 1,344 hours in January are held against no band and cost nothing."""
    rows = ("month,usd,gpu_usd,gpu_hours", "2026-12,231.756,800,", "2027-01,231.756,,1344", "2027-02,209.328,700,")
    (tmp_path / "bill.csv").write_text("\n".join(rows))
    done = track(folder, "--bill", tmp_path / "bill.csv", "--option", LUNA)
    said = " ".join(done.stdout.split())
    assert "Cash so far, set-up aside: $2,173, forecast $673 (+223%)." in said
    assert ("GPUs billed in months for which the forecast has none: $1,500 (2026-12 $800, 2027-02 $700). It is cash of those"
            " months, and is not carried on into the ones ahead.") in said
    assert "OFF GPU bill, forecast none, in months in which it pays for no GPU: $1,500; +$1,500 of cash" in said
    assert "of GPU hours 0 of" not in said
    assert "1 of 3 figures lie in their 90% band" in said  # January's cash alone
    assert "1,344 GPU hours of 2027-01 are in no cash: the forecast has no GPU there" in " ".join(done.stderr.split())


@pytest.mark.full
@pytest.mark.parametrize(("data", "said"), [
    ({"code": 200}, "no list `data` of allocations"),
    ({"data": []}, "no allocation"),
    ({"data": [{"a": {"name": "a", "gpuHours": -1, "gpuCost": 0}}]}, "a: gpuHours: '-1' is not usable"),
    ({"data": [{"a": {"name": "a", "gpuHours": 1, "gpuCost": 0, "window": {"start": "now", "end": "then"}}}]},
     "window.start: 'now'"),
    ({"data": [{"a": {"name": "a", "gpuHours": 1, "gpuCost": 0,
                      "window": {"start": "2026-12-01T00:00:00Z", "end": "2027-01-02T00:00:00Z"}}}]}, "reaches into 2027-01"),
])
def test_what_is_no_allocation_is_one_message(own, tmp_path, data, said):
    path = tmp_path / "allocation.json"
    path.write_text(json.dumps(data))
    done = track(own, "--opencost", path)
    assert done.exit_code == 2
    assert said in done.stderr


@pytest.mark.full
def test_the_example_saves_what_its_rows_say():
    """60,000 requests a day on average: 10,141.89 at gpt-6-sol's 0.00188 each, less 5,660.92 of the export and 4,250 of set-up;
    gpt-6-luna's rows cost 99.26 more than at the price of the decision, 1.3 x in both months that have any, though 15
    and not 15.5 days of January hold both."""
    words = ("examples/tickets.yaml", "--actual", "examples/tracked_usage.csv", "--format", "json")
    found = json.loads(roi("track", *words).stdout)
    assert found["earned_usd"] == pytest.approx(10_141.89124 - 5_660.9229 - 4_250, abs=0.01)
    price = next(e for e in found["effects"] if e["fact"] == "price")
    assert (price["factor"], price["cash_usd"]) == pytest.approx((1.3, 99.26), rel=0.005)


@pytest.mark.parametrize(("provider", "model", "elsewhere"), [
    ("aws", "us.anthropic.claude-haiku-4-5-20251001-v1:0", "global.anthropic.claude-haiku-4-5-20251001-v1:0"),
    ("openrouter", "anthropic/claude-4.5-haiku-20251001", "openai/gpt-6-luna"),
])
def test_a_log_may_call_a_model_otherwise_than_the_price_list_does(provider, model, elsewhere, tmp_path):
    """The list has regional.anthropic... and anthropic/claude-haiku-4.5. 31 x 60,000 calls; what else is called is told."""
    asked = {**SCENARIO, "incumbent": {"provider": provider, "model": model}, "quality": {"usd_per_error": 0}}
    (tmp_path / "named.yaml").write_text(yaml.safe_dump(asked))
    ours, theirs = (export(name, 1).replace(",openai,", f",{provider},") for name in (model, elsewhere))
    (tmp_path / "usage.csv").write_text(ours + theirs.partition("\n")[2])
    found = told(tmp_path, "--option", "stay", "--actual", tmp_path / "usage.csv", file="named.yaml")
    assert [month["calls"]["came"] for month in found["months"]] == [31 * 60_000]
    assert f"none of the decision's models: {elsewhere}" in " ".join(found["notes"])


@pytest.mark.full
def test_months_of_working_days_are_covered_from_their_first_to_their_last_call(folder, tmp_path):
    """December from Tuesday the 1st at 08:03, and January, of which the 30th and 31st are a weekend: without a call, as others.

    One that begins at noon lacks about four tenths of a day, more than a hundredth of the month.
    """
    days = [datetime(2026, 12, 1, tzinfo=UTC) + timedelta(days=k) for k in range(60)]
    calls = [f"{day + timedelta(hours=8, minutes=3 + 30 * k):%Y-%m-%dT%H:%M:%SZ},openai,gpt-6-luna,1000,10"
             for day in days if day.weekday() < 5 for k in range(20)]
    told = []
    for name, rows in (("whole", calls), ("cut", calls[8:])):
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join(["time,provider,model,input_tokens,output_tokens", *rows]) + "\n")
        done = track(folder, "--actual", path, "--folder", tmp_path / name)
        told.append((done.exit_code, sorted(each.stem for each in (tmp_path / name).glob("*.json"))))
    assert told[0] == (0, ["2026-12", "2027-01"])
    assert (told[1][0], "2026-12 is left out: 30 of its 31 days are covered whole, in UTC (2026-12-01 begins at 12:03)"
            in " ".join(done.stderr.split())) == (2, True)


def local_calls(path: Path) -> Path:
    """A call an hour of New York, day before month, from 00:00 UTC of 1 December 2026 to 31 January 2027: 31 x 24 x 2 = 1,488.

    1,040 tokens of input beside 960 cached and 10 of output: (1,040 x 0.10 + 960 x 0.01 + 10 x 0.50) / 1e6 = $0.0001186.
    """
    first = datetime(2026, 11, 30, 19, tzinfo=UTC)
    lines = [f"{first + timedelta(hours=k):%d/%m/%Y %H:%M},gpt-6-luna,1040,960,10" for k in range(1488)]
    path.write_text("time,model,input_tokens,cached_tokens,output_tokens\n" + "\n".join(lines) + "\n")
    return path


@pytest.mark.full
def test_the_same_log_is_the_same_money_to_usage_and_to_track(folder, tmp_path):
    """$0.0001186 x 744 in each month, where the zone, the dates and the cache are said to both; else usage has other sums."""
    calls = local_calls(tmp_path / "calls.csv")
    said = ("--provider", "openai", "--timezone", "America/New_York", "--dates", "eu", "--input-includes-cache", "no")
    spent = json.loads(roi("usage", calls, *said, "--format", "json", "--tasks", 0).stdout)
    assert spent["list_usd"] == pytest.approx(1488 * 0.0001186, abs=1e-6)
    assert track(folder, "--actual", calls, *said, "--folder", tmp_path / "kept").exit_code == 0
    kept = [json.loads(path.read_text()) for path in sorted((tmp_path / "kept").glob("*.json"))]
    assert [(each["month"], each["api_usd"]) for each in kept] == [
        (month, pytest.approx(744 * 0.0001186)) for month in ("2026-12", "2027-01")]
    plain = track(folder, "--actual", calls, *said[:2], "--dates", "eu")
    assert "2027-01 counts although 2027-01-31 ends at 18:00: about 0.70% of the month is missing" in plain.stderr
    assert "1,428,480 cached tokens may or may not be part of the input column" in " ".join(plain.stderr.split())
    assert "--dates eu reads day/month/year" in track(folder, "--actual", calls, *said[:2]).stderr
    mistaken = track(folder, "--actual", calls, *said[:2], "--timezone", "Europe/Berln")
    assert (mistaken.exit_code, mistaken.stderr.splitlines()[-1][:43]) == (2, "roi: --timezone: 'Europe/Berln' is no zone;")
