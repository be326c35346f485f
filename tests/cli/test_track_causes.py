"""Made histories of which the cause is known: roi track names it first, with its size, and the parts add up to the cent."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from tracked_years import LUNA, SCENARIO, export

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
