"""roi track on logs that follow a forecast but for one thing, which it names with its size; else it names nothing."""

import csv
import json
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from asked import ask
from long_tables import every_row
from tracked_years import LUNA, LUNA_USD, SCENARIO, SOL_USD, export

SOL, CHEAP = (2.0, 10.0, 0.2, 2.5), (0.1, 0.5, 0.01, 0.125)
"""USD per million tokens of gpt-6-sol and gpt-6-luna: input, output, read from a cache, written to it."""


def told(folder: Path, scenario: dict[str, Any], *words: str | Path) -> dict[str, Any]:
    """The answer as JSON."""
    (folder / "mine.yaml").write_text(yaml.safe_dump(scenario))
    done = ask("track", folder / "mine.yaml", "--input-includes-cache", "yes", "--format", "json", *words)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def without_costs(text: str) -> str:
    return "\n".join(line.rpartition(",")[0] for line in text.splitlines()) + "\n"


@pytest.mark.parametrize(("option", "terms", "each"), [
    (LUNA, {}, LUNA_USD), (LUNA, {"apis": {"openai/gpt-6-luna": {"discount": 0.2}}}, 0.8 * LUNA_USD),
    (LUNA, {"apis": {"openai/gpt-6-luna": {"input_usd_per_mtok": 0.05, "output_usd_per_mtok": 0.25}}}, None),
    ("stay", {"incumbent": {**SCENARIO["incumbent"], "bill_usd_per_month": 3741, "bill_is_volume_share": 0}}, SOL_USD / 2),
], ids=["no column of what a cache was written", "a discount", "stated prices", "a bill"])
def test_tokens_without_a_cost_are_no_price_that_moved(
    option: str, terms: dict[str, Any], each: float | None, tmp_path: Path,
) -> None:
    """Nobody was billed the list price: it was told as a price x0.95, x1.25, x1.66 and x2.00 over the forecast's."""
    model, cached = ("gpt-6-luna", 960) if option == LUNA else ("gpt-6-sol", 0)
    (tmp_path / "usage.csv").write_text(without_costs(export(model, 2, cached=cached)))
    found = told(tmp_path, {**SCENARIO, **terms}, "--actual", tmp_path / "usage.csv", "--option", option)
    assert found["effects"] == [] or abs(found["effects"][0]["cash_usd"]) < 1.0
    assert [month["price_factor"]["came"] for month in found["months"]] == [None, None]
    assert found["on_course"]
    if each is not None:
        assert found["cash_usd"] == pytest.approx(62 * 60_000 * each, rel=2e-4)


@pytest.mark.parametrize(("today", "tiers", "each"), [
    (0.0, None, 1.0), (0.0, ("priority", "default"), 1.5), (0.5, ("default", "default"), 1.0), (0.5, None, 0.75),
    *(pytest.param(*case, marks=pytest.mark.full) for case in (
        (0.0, ("flex", "flex"), 0.5), (0.0, ("default", "batch"), 0.75), (0.5, ("default", "batch"), 0.75))),
], ids=["not told", "half in priority", "no more batch", "batch not told", "flex", "half in batch", "in batch as forecast"])
def test_tokens_without_a_cost_are_at_the_list_price_of_their_tier(
    today: float, tiers: tuple[str, str] | None, each: float, tmp_path: Path,
) -> None:
    """Flex and batch are half the list, priority is twice: all was told at the forecast's prices, whatever its tier."""
    plain = without_costs(export("gpt-5.4", 1, per_day=30_000, cached=0)).splitlines()
    halves = [""] * 2 if tiers is None else [f",{tier}" for tier in tiers]
    rows = [f"{plain[0]}{',service_tier' * (tiers is not None)}", *(row + tier for row in plain[1:] for tier in halves)]
    (tmp_path / "usage.csv").write_text("\n".join(rows) + "\n")
    mine = {**SCENARIO, "incumbent": {"provider": "openai", "model": "gpt-5.4", "batch_share": today},
            "workload": {**SCENARIO["workload"], "can_wait_share": today}, "quality": {}}
    found = told(tmp_path, mine, "--actual", tmp_path / "usage.csv", "--option", "stay")
    assert found["cash_usd"] == pytest.approx(31 * 60_000 * (2000 * 2.5e-6 + 10 * 15e-6) * each, rel=1e-6)
    assert any("batch and service tiers" in note for note in found["notes"]) == (each != 1.0 - today / 2)


def test_the_tiers_of_either_model_move_its_own_price(tmp_path: Path) -> None:
    """December on gpt-5.4 in flex, at 0.002575 a call; January on gpt-5.4-mini, at 0.001545 and half of it."""
    head, *rows = without_costs(export("gpt-5.4", 2, per_day=30_000, cached=0)).splitlines()
    old, new = rows[:31], [row.replace("gpt-5.4", "gpt-5.4-mini") for row in rows[31:]]
    rows = [f"{row},{tier}" for days, tiers in ((old, ("flex", "flex")), (new, ("default", "batch"))) for row in days
            for tier in tiers]
    (tmp_path / "usage.csv").write_text("\n".join([f"{head},service_tier", *rows]) + "\n")
    mine = {**SCENARIO, "incumbent": {"provider": "openai", "model": "gpt-5.4"}, "quality": {},
            "candidates": {"api_models": ["openai/gpt-5.4-mini"]},
            "timing": {"months_to_live": {"api": 1}, "months_in_parallel": 0}}
    found = told(tmp_path, mine, "--actual", tmp_path / "usage.csv", "--option", "cheaper-api:openai/gpt-5.4-mini")
    listed = (2000 * 2.5e-6 + 10 * 15e-6, 2000 * 0.75e-6 + 10 * 4.5e-6)
    came = [month["cash_usd"]["came"] for month in found["months"]]
    assert came == pytest.approx([31 * 60_000 * listed[0] * 0.5, 31 * 60_000 * listed[1] * 0.75], rel=1e-6)


@pytest.mark.parametrize(("beside", "parallel", "both"), [(False, 0.0, 0.0), (True, None, 15 / 31)])
def test_calls_in_parallel_are_assumed_where_the_days_leave_room_for_them(
    beside: bool, parallel: float | None, both: float, tmp_path: Path,
) -> None:
    """60,000 calls a day, from 17 December on of the new model: never both in a day was told as a volume of 31 / 46; with the
    old model called for the 15 days besides, each of their requests is called twice."""
    head, *rows = export("gpt-6-sol", 1, cached=0, usd=SOL_USD).splitlines()
    new = export("gpt-6-luna", 1).splitlines()[1:][16:]
    (tmp_path / "usage.csv").write_text("\n".join([head, *(rows if beside else rows[:16]), *new]) + "\n")
    timing = {"months_to_live": {"api": 16 / 31}, "months_in_parallel": 1}
    found = told(tmp_path, {**SCENARIO, "timing": timing}, "--actual", tmp_path / "usage.csv", "--option", LUNA)
    seen = {each["fact"]: each["factor"] for each in found["effects"]}
    assert seen.get("months in parallel") == parallel
    assert seen.get("volume", 1.0) == pytest.approx(1.0, abs=1e-6)
    assert found["months"][0]["in_parallel"] == pytest.approx(both, abs=1e-6)


@pytest.mark.parametrize(("begun", "months", "both"), [
    (16, 1, 15 / 31), (0, 1, 0.25), pytest.param(0, 2, 1.0, marks=pytest.mark.full)],
    ids=["days of one model before", "no other days", "days of one model after"])
def test_days_on_which_both_models_have_the_same_calls_are_in_parallel(
    begun: int, months: int, both: float, tmp_path: Path,
) -> None:
    """60,000 calls a day, in December of both models from a day on; a quarter of a month in parallel is forecast. From the 17th
    on: 46 / 31 calls a request were told as a volume of x1.187. Where no day says what one model alone has, it is assumed."""
    head, *rows = export("gpt-6-sol", 1, cached=0, usd=SOL_USD).splitlines()
    new = export("gpt-6-luna", months).splitlines()[1:][begun:]
    (tmp_path / "usage.csv").write_text("\n".join([head, *rows, *new]) + "\n")
    timing = {"months_to_live": {"api": 0.25}, "months_in_parallel": 0.25}
    words = ("--actual", tmp_path / "usage.csv", "--option", LUNA)
    found = told(tmp_path, {**SCENARIO, "timing": timing}, *words)
    volume = {each["fact"]: each["factor"] for each in found["effects"]}.get("volume", 1.0)
    assert found["months"][0]["in_parallel"] == pytest.approx(both, abs=1e-6)
    assert volume == pytest.approx(1.6 if both == 0.25 else 1.0, abs=1e-6)
    screen = " ".join(ask("track", tmp_path / "mine.yaml", "--input-includes-cache", "yes", *words).stdout.split())
    assumed = "This takes both models as called in parallel in 2026-12: 0.25 of the month, assumed (see below)."
    assert [text in screen for text in (assumed, "by days on which both have nearly the same calls, in 2026-12: ")] == [
        both == 0.25, both != 0.25]


@pytest.mark.full
def test_a_kept_month_of_both_models_is_no_other_one_where_the_next_month_tells_what_one_has_alone(tmp_path: Path) -> None:
    """December of both models says nothing of second calls; with January they are 31 x 60,000; --revise keeps that."""
    old, new = export("gpt-6-sol", 1, cached=0, usd=SOL_USD), export("gpt-6-luna", 2).splitlines()[1:]
    mine = {**SCENARIO, "timing": {"months_to_live": {"api": 0.25}, "months_in_parallel": 0.25}}
    words = ("--actual", tmp_path / "usage.csv", "--option", LUNA, "--folder", tmp_path / "kept")
    for count, revise, kept in ((31, (), "2026-12.json"), (62, (), "2027-01.json"), (62, ("--revise",), "2026-12.2.json")):
        (tmp_path / "usage.csv").write_text(old + "\n".join(new[:count]) + "\n")
        assert [Path(name).name for name in told(tmp_path, mine, *words, *revise)["written"]] == [kept]
    second = [json.loads((tmp_path / "kept" / name).read_text())["least_second_calls"] for name in ("2026-12.json", kept)]
    assert second == [None, 31 * 60_000]


def test_days_of_both_models_of_a_cascade_are_no_volume(tmp_path: Path) -> None:
    """Live on 16 January as forecast, and for 16 days of 31 in parallel, forecast half a month; a quarter is handed on from
    February on, of 500 items a little more. 47 / 31 calls a request in January were told as a volume of x1.011, so x1.004."""
    head, *old = export("gpt-6-sol", 2, cached=0, usd=SOL_USD).splitlines()
    new = export("gpt-6-luna", 3).splitlines()[1:][31 + 15:]
    handed = export("gpt-6-sol", 3, cached=0, usd=SOL_USD, per_day=15_000).splitlines()[1:][62:]
    (tmp_path / "usage.csv").write_text("\n".join([head, *old, *new, *handed]) + "\n")
    mine = {**SCENARIO, "timing": {"months_to_live": {"cascade": 1.5}, "months_in_parallel": 0.5},
            "candidates": {"api_models": ["openai/gpt-6-luna"], "cascade_first": ["openai/gpt-6-luna"]},
            "quality": {**SCENARIO["quality"], "escalated": {"gpt-6-luna": {"value": 0.25, "items": 500}}}}
    found = told(tmp_path, mine, "--actual", tmp_path / "usage.csv", "--option", "cascade:openai/gpt-6-luna")
    seen = {each["fact"]: each["factor"] for each in found["effects"]}
    assert seen.get("volume", 1.0) == pytest.approx(1.0, abs=5e-4)
    assert found["months"][1]["in_parallel"] == pytest.approx(16 / 31, abs=1e-6)
    assert seen["months in parallel"] == pytest.approx(32 / 31)


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York"])
def test_a_table_of_days_has_the_same_months_in_every_zone(zone: str, tmp_path: Path) -> None:
    """In zones east of Greenwich each day was its day before, and the last month was not whole."""
    (tmp_path / "usage.csv").write_text(export("gpt-6-luna", 1))
    found = told(tmp_path, SCENARIO, "--actual", tmp_path / "usage.csv", "--option", LUNA, "--timezone", zone)
    assert [(month["month"], month["calls"]["came"]) for month in found["months"]] == [("2026-12", 31 * 60_000)]


def test_a_month_of_hourly_rows_counts_where_it_begins_seven_hours_late(tmp_path: Path) -> None:
    """Midnight in Los Angeles is 08:00 UTC in December: 8 of 744 hours are 1.08%, too much; in July 7 hours are 0.94%. The hour
    of 23:00 was taken for none, so that the days had 23."""
    def hours(year: int, month: int) -> str:
        rows = [f"{date(year, month, 1) + timedelta(days=k)}T{hour:02d}:00:00,openai,gpt-6-sol,2500,5000000,0,25000"
                for k in range(33) for hour in range(24)]
        return "\n".join(["time,provider,model,requests,input_tokens,cached_tokens,output_tokens", *rows]) + "\n"
    for as_of, begun, rc, words in (("2026-11-24", (2025, 12), 2, "are covered whole, in UTC (2025-12-01 begins at 08:00)"),
                                ("2026-11-24", (2026, 7), 0, "about 0.94% of the month is missing")):
        (tmp_path / "usage.csv").write_text(hours(*begun))
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**SCENARIO, "as_of": as_of}))
        done = ask("track", tmp_path / "mine.yaml", "--input-includes-cache", "yes", "--actual", tmp_path / "usage.csv",
                   "--option", "stay", "--timezone", "America/Los_Angeles", "--since", f"{begun[0]}-{begun[1]:02d}")
        assert (done.exit_code, words in done.stderr) == (rc, True), done.stderr


def test_calls_of_a_model_that_the_decision_does_not_know_are_told_with_their_share(tmp_path: Path) -> None:
    """36,000 of 60,000 calls a day for 31 days; the others cost 31 x 24,000 x 0.0002 = $148.80."""
    ours, theirs = export("gpt-6-luna", 1, per_day=36_000), export("gpt-5.4-nano", 1, per_day=24_000, usd=0.0002)
    (tmp_path / "usage.csv").write_text(ours + theirs.partition("\n")[2])
    found = told(tmp_path, SCENARIO, "--actual", tmp_path / "usage.csv", "--option", LUNA)
    assert any("models: gpt-5.4-nano (40.0% of all calls, $148.80)" in note for note in found["notes"])


def test_a_month_of_a_little_less_is_on_course_where_all_facts_are_exact(tmp_path: Path) -> None:
    """3% fewer calls in December, as one working day less makes; carried on, they were late by three days."""
    (tmp_path / "usage.csv").write_text(export("gpt-6-luna", 1, per_day=58_200))
    dear = {**SCENARIO, "evaluation": {**SCENARIO["evaluation"], "usd": 20_000}}  # earned back in month 4
    assert told(tmp_path, dear, "--actual", tmp_path / "usage.csv", "--option", LUNA)["on_course"]
    (tmp_path / "usage.csv").write_text(export("gpt-6-luna", 1, per_day=48_000))
    assert not told(tmp_path, dear, "--actual", tmp_path / "usage.csv", "--option", LUNA)["on_course"]


def usd_of(prices: tuple[float, ...], given: float, read: float, written: float, made: float) -> float:
    return ((given - read - written) * prices[0] + made * prices[1] + read * prices[2] + written * prices[3]) / 1e6


OFF = {"nothing": {}, "volume": {"calls": 1.3}, "price": {"usd": 1.2}, "input tokens": {"given": 1.25},
       "output tokens": {"made": 1.5}, "cache rate": {"hit": 0.6}}


@pytest.mark.full
@every_row("seed", range(18))
def test_what_is_off_in_a_log_is_named_with_its_size(tmp_path: Path, seed: int) -> None:
    """One to four months of days, each a few percent off, of a move that is live at once, in half a month or in one and a half;
    prices rise from one day on. What came less the forecast is what the one fact did, but for the noise."""
    draw = Random(seed)  # noqa: S311 - a table, no secret
    fact, months, costs = list(OFF)[seed % 6], draw.randint(1, 4), seed % 6 == 2 or draw.random() < 0.6
    by = {"calls": 1.0, "usd": 1.0, "given": 1.0, "made": 1.0, "hit": 1.0} | OFF[fact]
    growth, live, hit = draw.choice((0.0, 0.3, -0.2)), draw.choice((0.0, 0.0, 0.5)), draw.choice((0.5, 0.9))
    given, made, day = draw.choice((2000, 6000)), draw.choice((20, 300)), date(2026, 7, 1)
    prefix, rows, rises = 0.6 * given, [], day + timedelta(days=draw.randint(0, 20))
    for month in range(months):
        last = (day + timedelta(days=32)).replace(day=1)
        length = (last - day).days
        for k in range(length):
            calls = 50_000 * (1.0 + growth) ** (month / 12) * by["calls"] * draw.lognormvariate(0.0, 0.03)
            new = min(max(month + (k + 1) / length - live, 0.0) * length, 1.0)
            for model, prices, share in (("gpt-6-luna", CHEAP, new), ("gpt-6-sol", SOL, 1.0 - new)):
                n, at = round(calls * share), day + timedelta(days=k)
                read, written = ((prefix * rate * (model == "gpt-6-luna")) for rate in (hit * by["hit"], 1.0 - hit * by["hit"]))
                usd = usd_of(prices, given * by["given"], read, written, made * by["made"])
                usd *= by["usd"] if model == "gpt-6-luna" and at >= rises else 1.0
                row = {"date": at, "provider": "openai", "model": model, "requests": n, "cached_tokens": round(n * read),
                       "input_tokens": round(n * given * by["given"]), "output_tokens": round(n * made * by["made"])}
                rows += [row | ({"cost_usd": n * usd} if costs else {})] * (n > 0)
        day = last
    with (tmp_path / "usage.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows)
    work = {"requests_per_day": 50_000, "growth_per_year": growth, "input_tokens": given, "output_tokens": made,
            "shared_prefix_tokens": prefix, "cache_hit_rate": hit}
    timing = {"months_to_live": {"api": live}, "months_in_parallel": 0}
    found = told(tmp_path, {**SCENARIO, "as_of": "2026-06-24", "workload": work, "timing": timing}, "--actual",
                 tmp_path / "usage.csv", "--option", LUNA)
    gap = found["cash_usd"] - found["forecast_cash_usd"]
    assert sum(each["cash_usd"] for each in found["effects"]) == pytest.approx(gap, abs=0.02)
    if fact == "nothing":
        assert found["on_course"]
        return
    first = found["effects"][0]
    assert first["fact"] == fact
    assert first["cash_usd"] == pytest.approx(gap, abs=0.05 * found["forecast_cash_usd"])
    if fact != "price":
        assert first["factor"] == pytest.approx(next(iter(OFF[fact].values())), rel=0.03)


@pytest.mark.parametrize("head", ["date", "wann"])
def test_a_column_that_is_mapped_is_not_asked_of_a_file_that_has_its_own_name_for_it(head: str, tmp_path: Path) -> None:
    """Two files of a month each, the column of times renamed in one or in both: none is left out."""
    [top, *rows] = export(LUNA.partition("/")[2], 2, cached=0).splitlines()
    for name, column, some in (("a", "wann", rows[:31]), ("b", head, rows[31:])):
        (tmp_path / f"{name}.csv").write_text("\n".join([top.replace("date", column), *some]) + "\n")
    words = ("--actual", tmp_path / "a.csv", "--actual", tmp_path / "b.csv", "--option", LUNA)
    assert len(told(tmp_path, SCENARIO, *words, "--map", "time=wann")["months"]) == 2
    assert ask("track", tmp_path / "mine.yaml", *words, "--map", "time=wan").exit_code == 2


UNITS_USD = 20_000 * 12 / 365
"""Of a day."""


def a_report(folder: Path, days: int, tokens_usd: tuple[float, float] = (12.0, 4.8)) -> Path:
    """Of AWS's: $16.80 of tokens a day, or as told, and units at $20,000 a month of 365/12 days."""
    billed = (f"USE1-NovaLite-input-tokens,200000,{tokens_usd[0]}", f"USE1-NovaLite-output-tokens,20000,{tokens_usd[1]}",
              f"USE1-ProvisionedThroughput-1MonthCommit-ModelUnits,24,{UNITS_USD}")
    first = date(2026, 12, 1)
    rows = [f"{first + timedelta(days=k)},{first + timedelta(days=k + 1)},{what},AmazonBedrock,1K tokens"
            for k in range(days) for what in billed]
    head = ("line_item_usage_start_date,line_item_usage_end_date,line_item_usage_type,line_item_usage_amount,"
            "line_item_unblended_cost,line_item_product_code,pricing_unit")
    (folder / "cur.csv").write_text("\n".join([head, *rows]) + "\n")
    return folder / "cur.csv"


@pytest.mark.parametrize(("option", "owed", "off"), [
    ("stay", {}, "price"), pytest.param("by-token", {}, "commitments", marks=pytest.mark.full),
    ("by-token", {"committed_until": "2027-05-31"}, "commitments")])
def test_units_that_the_scenario_has_are_cash_as_the_export_bills_them(
    option: str, owed: dict[str, str], off: str, tmp_path: Path,
) -> None:
    """90 days of 16.80 + 657.53 are $60,690 of cash. Going by the token was on course at $11,257 while the units went on.

    Where they are given up, what they are still billed is owed and no price of the tokens, which is as forecast from February
    on, the first whole month by the token alone. Where the scenario has no units they are none of its cash.
    """
    units = {"units": 1, "usd_per_month": 20_000, "requests_per_s": 3, "spills_over": True, **owed}
    nova = {"provider": "aws", "model": "amazon.nova-lite"}
    mine = {"as_of": "2026-11-24", "draws": 256, "incumbent": {**nova, "provisioned_throughput": units},
            "workload": {"requests_per_day": 100_000, "input_tokens": 2000, "output_tokens": 200, "growth_per_year": 0}}
    found = told(tmp_path, mine, "--actual", a_report(tmp_path, 90), "--option", option)
    assert found["cash_usd"] == pytest.approx(90 * (16.8 + UNITS_USD))
    assert {effect["fact"] for effect in found["effects"][:1]} == {off}
    assert found["months"][-1]["price_factor"]["came"] == pytest.approx(0.944 if option == "stay" else 1.0, abs=1e-3)
    if option == "stay":
        found = told(tmp_path, {**mine, "incumbent": nova}, "--actual", tmp_path / "cur.csv", "--option", "stay")
        assert found["cash_usd"] == pytest.approx(90 * 16.8)


def test_tokens_that_cost_nothing_beside_units_that_are_owed_have_no_price_that_could_be_told(tmp_path: Path) -> None:
    """90 x 657.53 are $59,178; a price of 0 over the forecast's made commitments 2.6e10 times as much, $19 trillion."""
    nova = {"provider": "aws", "model": "amazon.nova-lite",
            "provisioned_throughput": {"units": 1, "usd_per_month": 20_000, "requests_per_s": 3, "spills_over": True}}
    mine = {"as_of": "2026-11-24", "draws": 256, "incumbent": nova,
            "workload": {"requests_per_day": 100_000, "input_tokens": 2000, "output_tokens": 200, "growth_per_year": 0}}
    found = told(tmp_path, mine, "--actual", a_report(tmp_path, 90, (0.0, 0.0)), "--option", "by-token")
    assert found["cash_usd"] == pytest.approx(90 * UNITS_USD)
    assert found["months"][-1]["price_factor"]["came"] is None
    assert all(abs(effect["cash_usd"]) < 90 * UNITS_USD for effect in found["effects"])


@pytest.mark.full
def test_units_that_are_billed_beside_tokens_without_a_cost_leave_open_what_was_paid(tmp_path: Path) -> None:
    """A log of one's own without costs, and a report of units alone: $11,257 were on course while these went on."""
    first, log = date(2026, 12, 1), tmp_path / "log.csv"
    log.write_text("date,model,provider,requests,input_tokens,output_tokens\n" + "".join(
        f"{first + timedelta(days=k)},amazon.nova-lite,aws,100000,200000000,20000000\n" for k in range(90)))
    report = a_report(tmp_path, 90)
    report.write_text("".join(line for line in report.read_text().splitlines(True) if "-tokens," not in line))
    nova = {"provider": "aws", "model": "amazon.nova-lite",
            "provisioned_throughput": {"units": 1, "usd_per_month": 20_000, "requests_per_s": 3, "spills_over": True}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({
        "as_of": "2026-11-24", "draws": 256, "incumbent": nova,
        "workload": {"requests_per_day": 100_000, "input_tokens": 2000, "output_tokens": 200, "growth_per_year": 0}}))
    done = ask("track", tmp_path / "mine.yaml", "--actual", log, "--actual", report, "--option", "by-token")
    assert "what was paid in 2026-12, 2027-01, 2027-02 is not known without --bill" in " ".join(done.stderr.split())
    assert "in the cash of months whose rows say what they cost" in " ".join(done.stderr.split())
    said = " ".join(done.stdout.split())
    assert "COURSE What units or seats cost in 2026-12, 2027-01, 2027-02 is not seen, and is taken as forecast" in said
    assert "On course" not in said
