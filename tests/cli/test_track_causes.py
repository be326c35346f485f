"""Made histories of which the cause is known: roi track names it first, with its size, and the parts add up to the cent."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from tracked_years import LUNA, SCENARIO, SOL_USD, export

from roi.cli import main

DAYS = 31 + 31 + 28
"""Of December to February."""


def luna_usd(read: float, given: float = 2000.0, made: float = 10.0) -> float:
    """A request on gpt-6-luna that reads so many tokens from a cache and writes none: 0.01, 0.10 and 0.50 a million."""
    return (read * 0.01 + (given - read) * 0.10 + made * 0.50) / 1e6


def told(folder: Path, scenario: dict[str, object], log: str, *words: str) -> dict[str, object]:
    """The JSON of the months of a log against a scenario; its parts add up to what came less the forecast, to the cent."""
    (folder / "mine.yaml").write_text(yaml.safe_dump(scenario, sort_keys=False))
    (folder / "usage.csv").write_text(log)
    done = CliRunner().invoke(main, ["track", str(folder / "mine.yaml"), "--actual", str(folder / "usage.csv"), "--format",
                                     "json", *words])
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert sum(each["cash_usd"] for each in found["effects"]) == pytest.approx(
        found["cash_usd"] - found["forecast_cash_usd"], abs=0.0051)
    return found


def with_prefix(tokens: float) -> dict[str, object]:
    """The scenario with a prompt that begins alike for so many tokens."""
    return {**SCENARIO, "workload": {**SCENARIO["workload"], "shared_prefix_tokens": tokens}}


@pytest.mark.parametrize(("prefix", "read", "fact", "factor", "planned"), [
    (512, 400, "cached share", 0.2, luna_usd(0)),
    (1200, 1500, "cache rate", 1500 / 960, (960 * 0.01 + 240 * 0.125 + 800 * 0.10 + 10 * 0.50) / 1e6),
], ids=["a prefix below the vendor's minimum of 1,024", "more than the whole prefix"])
def test_what_was_read_from_a_cache_beyond_the_forecast_is_no_price_cut(
    tmp_path: Path, prefix: float, read: float, fact: str, factor: float, planned: float,
) -> None:
    """It was told as a price: 0.824 and 0.722. A request costs (2,000 - read) x 0.10 + read x 0.01 + 10 x 0.50 a million."""
    usd = luna_usd(read)
    found = told(tmp_path, with_prefix(prefix), export("gpt-6-luna", 3, cached=read, usd=usd), "--option", LUNA)
    assert [(each["fact"], each["factor"]) for each in found["effects"]] == [(fact, pytest.approx(factor))]
    assert found["effects"][0]["cash_usd"] == pytest.approx(DAYS * 60_000 * (usd - planned), abs=0.0051)
    assert [month["price_factor"]["came"] for month in found["months"]] == pytest.approx([1.0] * 3)


@pytest.mark.parametrize(("planned", "live", "beside", "handed"), [
    (0.5, 45, 15, 0.25), (0.0, 10, 0, 0.4), *(pytest.param(0.0, live, 0, 0.25, marks=pytest.mark.full) for live in (45, 10)),
], ids=["half a month in parallel", "more is escalated", "in the middle of January", "on 11 December"])
def test_a_cascade_that_goes_live_late_escalates_no_more_for_that(
    tmp_path: Path, planned: float, live: int, beside: int, handed: float,
) -> None:
    """Planned from 1 December on, a quarter of its calls handed on, `planned` months in parallel; live on a day, and so many
    days in parallel. The old model's days were told as 0.93 escalated and a volume of x0.849.

    Days of the old model cost 60,000 x $0.0041, of the new one 60,000 x $0.0001246, and 4 hours a month at $100 look after it.
    """
    head, *old = export("gpt-6-sol", 3, cached=0, usd=SOL_USD).splitlines()
    new = export("gpt-6-luna", 3).splitlines()[1:]
    more = export("gpt-6-sol", 3, cached=0, usd=SOL_USD, per_day=round(60_000 * handed)).splitlines()[1:]
    mine = {**SCENARIO, "timing": {"months_to_live": {"cascade": 0}, "months_in_parallel": planned},
            "candidates": {"api_models": ["openai/gpt-6-luna"], "cascade_first": ["openai/gpt-6-luna"]},
            "quality": {**SCENARIO["quality"], "escalated": {"gpt-6-luna": {"value": 0.25, "items": 100_000}}}}
    log = "\n".join([head, *old[: live + beside], *new[live:], *more[live + beside :]]) + "\n"
    found = told(tmp_path, mine, log, "--option", "cascade:openai/gpt-6-luna")
    off = {each["fact"]: each["cash_usd"] for each in found["effects"] if abs(each["cash_usd"]) >= 50}
    assert set(off) == {"share of calls, by go-live", *["share of calls"] * (handed > 0.25)}
    old_days, planned_days = live + beside, 31 * planned
    answered = (old_days - planned_days) * SOL_USD - live * 0.0001246
    escalated = ((DAYS - old_days) * handed - (DAYS - planned_days) * 0.25) * SOL_USD
    gap = 60_000 * (answered + escalated) - 400 * (live // 31 + live % 31 / 31)
    assert found["cash_usd"] - found["forecast_cash_usd"] == pytest.approx(gap, rel=0.001)
    if handed == 0.25:
        assert off["share of calls, by go-live"] == pytest.approx(gap, rel=0.01)
    assert found["records"][live // 31]["handed_on"] == pytest.approx(handed)


@pytest.mark.parametrize(("month", "fact", "factor", "gap", "paid_after_days"), [
    ({"per_day": 75_000}, "volume", 1.25, 15_000 * 0.0001246, 8000 / (75_000 * 0.0039754)),
    ({"usd": 1.3 * 0.0001246}, "price", 1.3, 60_000 * 0.3 * 0.0001246, 8000 / (60_000 * (0.0041 - 1.3 * 0.0001246))),
    ({"made": 50, "usd": 0.0001446}, "output tokens", 5.0, 60_000 * 0.00002, 8000 / (60_000 * (0.0045 - 0.0001446))),
    ({"cached": 360, "usd": 0.0001936}, "cache rate", 0.375, 60_000 * 0.000069, 8000 / (60_000 * (0.0041 - 0.0001936))),
], ids=["volume up", "price up", "output longer", "fewer cached"])
def test_one_cause_is_named_with_its_size_and_the_day_of_payback(
    tmp_path: Path, month: dict[str, float], fact: str, factor: float, gap: float, paid_after_days: float,
) -> None:
    """Set-up 70 hours at $100 and $1,000: earned back by what a day saves, stay's 0.0041 a request less luna's 0.0001246.

    Output of 50: 0.0045 and 0.0001446. Found in 3 of 10 calls: 360 x 0.01 + 840 x 0.125 + 800 x 0.10 + 10 x 0.50 a million.
    """
    found = told(tmp_path, SCENARIO, export("gpt-6-luna", 3, **month), "--option", LUNA)
    first = found["effects"][0]
    assert (first["fact"], first["factor"]) == (fact, pytest.approx(factor))
    assert sum(each["cash_usd"] for each in found["effects"]) == pytest.approx(DAYS * gap, abs=0.01)
    whole, left = (1, paid_after_days - 31) if paid_after_days > 31 else (0, paid_after_days)
    assert found["payback"]["now"]["months"] == pytest.approx(whole + left / 31, abs=1e-4)
    inside = [each[name]["inside"] for each in found["months"] for name in ("calls", "output_tokens", "cached_share")]
    assert all(inside) is (fact == "price")


@pytest.mark.full
def test_live_late_and_the_days_after_the_last_whole_month(tmp_path: Path) -> None:
    """45 days later 8,000 / 238.524 days still have to come: 33.54 - 17 of February's 28. A log that ends on 20 February has
    no February."""
    head, *old = export("gpt-6-sol", 3, cached=0, usd=SOL_USD).splitlines()
    new = export("gpt-6-luna", 3).splitlines()[1:]
    found = told(tmp_path, SCENARIO, "\n".join([head, *old[:45], *new[45:]]) + "\n", "--option", LUNA)
    assert [(each["fact"], each["cash_usd"]) for each in found["effects"]] == [
        ("share of calls", pytest.approx(45 * 60_000 * (SOL_USD - 0.0001246), abs=0.01))]
    assert found["payback"]["now"]["months"] == pytest.approx(2 + (8000 / 238.524 - 17) / 28, abs=1e-4)
    found = told(tmp_path, SCENARIO, "\n".join([head, *new[:82]]) + "\n", "--option", LUNA)
    assert ([month["month"] for month in found["months"]], found["effects"]) == (["2026-12", "2027-01"], [])
    assert any("2027-02 is left out: 20 of its 28 days" in note for note in found["notes"])


def test_a_price_is_told_of_the_last_month_that_paid_it(tmp_path: Path) -> None:
    """The old model at 1.2 times its price in December, 1.4 times in January, and not called in February: 1.3 in all."""
    head, *dear = export("gpt-6-sol", 1, cached=0, usd=1.2 * SOL_USD).splitlines()
    dearer, new = (export(name, 3, **more).splitlines() for name, more in (
        ("gpt-6-sol", {"cached": 0, "usd": 1.4 * SOL_USD}), ("gpt-6-luna", {})))
    late = {**SCENARIO, "timing": {"months_to_live": {"api": 2}, "months_in_parallel": 0}}
    found = told(tmp_path, late, "\n".join([head, *dear, *dearer[32:63], *new[63:]]) + "\n", "--option", LUNA)
    assert "over the forecast's: x1.300 over all that was paid, x1.400 in 2027-01; +" in found["off"]


@pytest.mark.full
def test_a_model_in_place_of_the_decision_s_is_no_month_less_in_silence(tmp_path: Path) -> None:
    """From February on another model answers all calls; February was not there. With 40% of them it was a volume of x0.6."""
    head, *new = export("gpt-6-luna", 3).splitlines()
    nano = export("gpt-5.4-nano", 3, cached=0, usd=0.0003).splitlines()[1:]
    found = told(tmp_path, SCENARIO, "\n".join([head, *new[:62], *nano[62:]]) + "\n", "--option", LUNA)
    assert "2027-02 is left out: none of its calls is of the decision's models" in found["notes"]
    part = export("gpt-6-luna", 3, per_day=36_000).splitlines()[1:]
    other = export("gpt-5.4-nano", 3, per_day=24_000, cached=0, usd=0.0003).splitlines()[1:]
    found = told(tmp_path, SCENARIO, "\n".join([head, *new[:31], *part[31:], *other[31:]]) + "\n", "--option", LUNA)
    assert found["effects"][0]["fact"] == "volume"
    assert "1,416,000 calls of these months went to models that are none of the decision's" in found["off"]  # 59 x 24,000


@pytest.mark.full
def test_a_month_of_retraining_is_the_forecast_s(tmp_path: Path) -> None:
    """Every second month trains anew, which no usage export shows: nothing is off, and the cash of these months is higher."""
    own = {**SCENARIO, "candidates": {"api_models": [], "cascade_first": [], "self_hosted": ["qwen3-4b"]},
           "quality": {"usd_per_error": 0, "scores": {"gpt-6-sol": 0.94, "qwen3-4b+lora": 0.95}},
           "training": {"examples": 5000, "retrain_every_months": 2},
           "timing": {"months_to_live": {"self_hosted_adapter": 0}, "months_in_parallel": 0}}
    log = export("qwen3-4b+lora", 4, usd=0.0).replace(",openai,", ",self-hosted,")
    log = log.replace(",0.00000000", "").replace(",cost_usd", "")
    found = told(tmp_path, own, log, "--option", "self-hosted-adapter:qwen3-4b+lora")
    cash = [month["cash_usd"]["central"] for month in found["months"]]
    assert found["effects"] == []
    assert cash[1] == pytest.approx(cash[3], rel=0.001)  # rents drift
    assert cash[1] > cash[0] + 4000
    assert cash[0] - cash[2] == pytest.approx(0, abs=300)  # rent goes by the hours of 31 and 28 days


@pytest.mark.full
def test_calls_of_another_model_are_not_those_of_the_own_server(tmp_path: Path) -> None:
    """Luna's 31 x 60,000 calls for $1,860 were told as the server's, which had paid back in no time. Half of all calls."""
    own = {**SCENARIO, "candidates": {"api_models": [], "cascade_first": [], "self_hosted": ["qwen3-4b"]},
           "quality": {"usd_per_error": 0, "scores": {"gpt-6-sol": 0.94, "qwen3-4b+lora": 0.95}}}
    luna, served = export("gpt-6-luna", 1, usd=0.001), export("tickets", 1, usd=0.0).replace(",openai,", ",self-hosted,")
    words = "--option", "self-hosted-adapter:qwen3-4b+lora"
    alone, both = told(tmp_path, own, served, *words), told(tmp_path, own, luna + served.partition("\n")[2], *words)
    assert both["cash_usd"] == alone["cash_usd"]
    assert [month["calls"]["came"] for month in both["months"]] == [31 * 60_000]
    notes = " ".join(both["notes"])
    assert "none of the decision's models: gpt-6-luna (50.0% of all calls, $1,860.00)" in notes
    assert notes.count("tickets") == 1
    assert "counted as the own server's; the price list has no" in notes
    (tmp_path / "usage.csv").write_text(luna)
    run = CliRunner().invoke(main, ["track", str(tmp_path / "mine.yaml"), "--actual", str(tmp_path / "usage.csv"), *words])
    assert (run.exit_code, "models: gpt-6-luna; an own server's are qwen3-4b, or" in run.stderr) == (2, True), run.stderr
