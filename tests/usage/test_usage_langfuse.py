"""Langfuse: what an observation counts, and whether its input holds its cached tokens."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from usage_support import DATA, records, totals

from roi.usage.formats.tools.langfuse import LANGFUSE, LANGFUSE_UI
from roi.usage.read.record import UNREAD_COST

FORMS = (LANGFUSE, LANGFUSE_UI)
START_US = 1_788_220_800_250_000  # 2026-09-01 00:00:00.25 UTC
HOUR_US = 3_600_000_000


@pytest.fixture(scope="module", params=["langfuse_blob.csv", "langfuse_blob.jsonl", "langfuse_ui.json", "a map in Parquet"])
def observations(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same observations as four kinds of file."""
    if request.param != "a map in Parquet":
        return DATA / str(request.param)
    rows = [json.loads(line) for line in (DATA / "langfuse_blob.jsonl").read_text().splitlines()]
    maps = [[(key, int(value)) for key, value in row["usage_details"].items()] for row in rows]
    plain = ("type", "environment", "level", "provided_model_name", "total_cost", "prompt_name", "user_id", "input")
    table = pa.table({
        "start_time": pa.array([row["start_time"] for row in rows]).cast(pa.timestamp("us")),
        "usage_details": pa.array(maps, pa.map_(pa.string(), pa.uint64())),
        **{name: [row[name] for row in rows] for name in plain},
    })  # fmt: skip
    pq.write_table(table, found := tmp_path_factory.mktemp("langfuse") / "source.pq")
    return found


def kept(rows: list[dict[str, Any]], name: str) -> list[Any]:
    return [row[name] for row in rows if row["dropped"] is None]


@pytest.mark.full
def test_a_rows_own_total_or_size_settles_whether_input_holds_cached_tokens(observations: Path, tmp_path: Path) -> None:
    """Row 1: 1000 + 100 = total 1100, so 600 are inside: 400 left. Row 2: 3700 cached above 50, so they are outside: 50.
    Rows 0 and 7 settle nothing: 400 - 600 < 0 would be, so row 0 is outside too; row 7: 900 - 200 = 700, perhaps 200 more.
    """
    rows = records(tmp_path, observations, formats=FORMS)
    assert kept(rows, "uncached_input") == [400, 400, 50, 500, 700]
    assert kept(rows, "perhaps_cached") == [0, 0, 0, 0, 200]
    assert kept(rows, "cache_read") == [600, 600, 3000, 0, 200]
    assert kept(rows, "cache_write") == [0, 0, 700, 0, 0]


@pytest.mark.full
@pytest.mark.parametrize("said", [None, True, False])
@pytest.mark.parametrize(("total", "output", "made"), [(1060, 60, 60), (1100, 60, 100)])
def test_a_total_that_adds_cached_tokens_settles_that_the_input_leaves_them_out(
    tmp_path: Path, said: bool | None, total: int, output: int, made: int,
) -> None:
    """700 in, 300 cached and 60 out are 1,060; with 40 of reasoning beside them 1,100. Whatever the user says, 700 are left."""
    usage = {"input": 700, "input_cached_tokens": 300, "output": output, "output_reasoning_tokens": 40, "total": total}
    row = {"type": "GENERATION", "start_time": "2026-09-01T00:00:00Z", "provided_model_name": "gpt-4o", "usage_details": usage}
    (tmp_path / "source.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    (found,) = records(tmp_path, tmp_path / "source.jsonl", formats=FORMS, includes_cache=said)
    assert (found["uncached_input"], found["cache_read"], found["output"], found["perhaps_cached"]) == (700, 300, made, 0)


@pytest.mark.full
def test_reasoning_is_added_to_the_output_where_the_total_has_room_for_it(observations: Path, tmp_path: Path) -> None:
    """Row 0: 1100 - 400 - 60 = 640 = 600 + 40, so output is 60 + 40. Row 1: 1100 - 1000 - 100 = 0, so 40 are in the 100."""
    rows = records(tmp_path, observations, formats=FORMS)
    assert kept(rows, "output") == [100, 100, 20, 25, 10]
    assert kept(rows, "reasoning") == [40, 40, 0, 0, 0]


@pytest.mark.parametrize(("said", "last"), [(True, 700), (False, 900)])
def test_what_the_user_says_holds_where_the_row_says_nothing(said: bool, last: int, tmp_path: Path) -> None:
    """Row 7: 900 - 200 = 700 where the 200 are in it, 900 where they are not."""
    rows = records(tmp_path, DATA / "langfuse_blob.csv", formats=FORMS, includes_cache=said)
    assert kept(rows, "uncached_input") == [400, 400, 50, 500, last]
    assert kept(rows, "perhaps_cached") == [0] * 5


def test_spans_embeddings_and_failures_are_dropped_with_their_reason(observations: Path, tmp_path: Path) -> None:
    rows = records(tmp_path, observations, formats=FORMS)
    assert [row["dropped"] for row in rows] == [
        None, None, None, None, "no call of a model (a span, event, tool or the like)", "an embedding, no completion",
        "a failed call", None]  # fmt: skip
    assert totals(rows)["requests"] == 5


@pytest.mark.full
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_times_are_utc_in_every_zone(zone: str, observations: Path, tmp_path: Path) -> None:
    rows = records(tmp_path, observations, formats=FORMS, zone=zone)
    assert [row["at_us"] for row in rows] == [START_US + k * HOUR_US for k in range(8)]


@pytest.mark.full
def test_a_cost_of_zero_is_unknown_and_the_provider_is_what_the_user_says(tmp_path: Path) -> None:
    rows = records(tmp_path, DATA / "langfuse_blob.csv", formats=FORMS, provider="openai")
    assert kept(rows, "cost_usd") == [0.01, 0.01, 0.01, None, 0.01]
    assert set(kept(rows, "provider")) == {"openai"}


@pytest.mark.full
@pytest.mark.parametrize(("kind", "first"), [(None, "extract"), ("tag", "production"), ("user", "u1"), ("model", None)])
def test_groups_are_the_prompts_name_the_environment_or_the_user(
        kind: str | None, first: str | None, observations: Path, tmp_path: Path) -> None:
    assert records(tmp_path, observations, formats=FORMS, group_by=kind)[0]["group"] == first


def test_the_total_of_cost_details_is_the_cost_where_no_other_is_there(tmp_path: Path) -> None:
    """calculatedTotalCost is deprecated in its favour; where both are there it counts as before, and 0 is no cost."""
    calls = [{"type": "GENERATION", "startTime": f"2026-11-01T0{k}:00:00Z", "model": "gpt-6-sol",
              "usageDetails": {"input": 100, "output": 10, "total": 110}, **cost} for k, cost in enumerate((
                  {"costDetails": {"input": 0.001, "output": 0.002, "total": 0.003}}, {"costDetails": {}},
                  {"costDetails": {"total": 0}}, {"costDetails": {"total": 0.003}, "calculatedTotalCost": 0.01}))]
    (tmp_path / "lf.json").write_text(json.dumps(calls))
    rows = sorted(records(tmp_path, tmp_path / "lf.json", formats=FORMS), key=lambda row: row["at_us"])
    assert [row["cost_usd"] for row in rows] == [0.003, None, None, 0.01]


@pytest.mark.parametrize("cost", [{"total_cost": "x"}, {"total_cost": None, "cost_details": {"total": "x"}}])
def test_a_cost_that_is_no_number_drops_its_row(tmp_path: Path, cost: dict[str, Any]) -> None:
    first, *rest = (json.loads(line) for line in (DATA / "langfuse_blob.jsonl").read_text().splitlines())
    log = tmp_path / "spoiled.jsonl"
    log.write_text("\n".join(map(json.dumps, [{**first, **cost}, *rest])), encoding="utf-8")
    dropped = {row["dropped"] for row in records(tmp_path, log, formats=FORMS)}
    assert UNREAD_COST in dropped
