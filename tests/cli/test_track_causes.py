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
    (0.0, 45, 0, 0.25), (0.5, 45, 15, 0.25), (0.0, 10, 0, 0.25), (0.0, 10, 0, 0.4),
], ids=["in the middle of January", "and half a month in parallel", "on 11 December", "and more is escalated"])
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
