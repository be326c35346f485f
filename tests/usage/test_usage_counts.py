"""A token count that cannot be read leaves out its row, and says so: it never becomes 0, and never costs another row."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from usage_support import DATA, records

from roi.usage.formats.clouds.aws_cur import AWS_CUR
from roi.usage.formats.clouds.azure_cost import AZURE_COST
from roi.usage.formats.generic import generic_format
from roi.usage.formats.json_counts import json_of, object_of
from roi.usage.formats.tools.otel import OTEL_GENAI
from roi.usage.read.columns import whole
from roi.usage.read.database import local_engine, rows_of
from roi.usage.read.lazy_ibis import ibis
from roi.usage.read.record import FILE, FileOptions, Format

UNREAD, BELOW_0 = "a token count that cannot be read", "a negative token count"


def counted(tmp_path: Path, name: str, text: str) -> list[str | None]:
    """Why each row of a file is left out, sorted; None for those that count."""
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    rows = records(tmp_path, file)
    return sorted((row["dropped"] for row in rows), key=str)


def objects_in(held: Any) -> Iterator[dict[str, Any]]:
    """Every object of a JSON value."""
    if isinstance(held, dict):
        yield held
    for each in held.values() if isinstance(held, dict) else held if isinstance(held, list) else ():
        yield from objects_in(each)


@pytest.fixture(scope="module")
def as_exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[str | None]]:
    """What `counted` says of an export as it stands, by its name; read once."""
    return cache(lambda name: counted(tmp_path_factory.mktemp("before"), Path(name).name, (DATA / name).read_text("utf-8")))


@pytest.mark.parametrize(("name", "key", "count", "reason"), [
    *(("langfuse_blob.jsonl", "input_cached_tokens", count, reason) for count, reason in (
        (-5, BELOW_0), ("many", UNREAD), (None, None))),
    *(pytest.param("langfuse_blob.jsonl", "input_cached_tokens", count, UNREAD, marks=pytest.mark.full)
      for count in (-(10**30), 1.5, [3], True)),
    *(pytest.param(name, key, "many", UNREAD, marks=pytest.mark.full) for name, key in (
        ("langfuse_blob.jsonl", "total"), ("litellm_spendlogs.jsonl", "cache_read_input_tokens"),
        ("agents/opencode.json", "reasoning")))])
def test_a_count_inside_a_document_is_read_or_its_row_is_named(
    tmp_path: Path, name: str, key: str, count: Any, reason: str | None, as_exported: Callable[[str], list[str | None]],
) -> None:
    """Of the rows that count one more is left out; where a count is absent, or null, it is 0 and the row counts."""
    lines = [json.loads(line) for line in ((DATA / name).read_text(encoding="utf-8").splitlines() if name.endswith("l")
                                           else [(DATA / name).read_text(encoding="utf-8")])]
    before = as_exported(name)
    next(held for held in objects_in(lines) if isinstance(held.get(key), int))[key] = count
    after = counted(tmp_path, Path(name).name, "\n".join(map(json.dumps, lines)))
    assert None in before
    assert sorted(after, key=str) == sorted([*before[:before.index(None)], *before[before.index(None) + bool(reason):],
                                             *([reason] if reason else [])], key=str)


@pytest.mark.full
@pytest.mark.parametrize("text", ["9" * 5_000, "[" * 5_000])
def test_a_log_line_whose_json_no_reader_takes_is_passed_over(tmp_path: Path, text: str) -> None:
    whole = json.loads((DATA / "bedrock_cloudwatch.json").read_text(encoding="utf-8"))
    (tmp_path / "before").mkdir()
    before = counted(tmp_path / "before", "events.json", json.dumps(whole))
    next(event for event in whole["events"] if "inputTokenCount" in event["message"])["message"] = text
    assert len(counted(tmp_path, "events.json", json.dumps(whole))) == len(before) - 1


@pytest.mark.full
def test_a_span_of_a_time_without_end_has_no_time(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (DATA / "otel_otlp.jsonl").read_text(encoding="utf-8").splitlines()]
    spans = [held for held in objects_in(lines) if "startTimeUnixNano" in held]
    for time in ("9" * 5_000, [10**4_299, 1]):
        for span in spans:
            span["startTimeUnixNano"] = time
        (tmp_path / str(len(time))).mkdir()
        assert None not in counted(tmp_path / str(len(time)), "spans.jsonl", "\n".join(map(json.dumps, lines)))


HEADER = "time,model,input_tokens,output_tokens,cached_tokens,cache_write_tokens"
GOOD, SECOND = "2026-09-01T00:00:00Z,gpt-4o,5,1,0,0", "2026-09-01T00:00:01Z,gpt-4o,"


@pytest.mark.parametrize(("name", "text", "reason"), [
    ("sum.csv", f"{HEADER}\n{GOOD}\n{SECOND}{','.join([str(1 << 62)] * 4)}\n", UNREAD),
    ("most.csv", f"{HEADER}\n{GOOD}\n{SECOND}{1 << 53},1,0,0\n", None),
    ("trace.csv", "arrival_s,input_tokens,output_tokens\n0,5,1\n1e15,5,1\n", "no time that can be read")])
def test_what_is_beyond_an_int64_costs_its_row_alone(tmp_path: Path, name: str, text: str, reason: str | None) -> None:
    """2^62 is below 2^63, but the sum of three is not; 10^15 s are 10^21 microseconds."""
    assert counted(tmp_path, name, text) == sorted([None, reason], key=str)


@pytest.mark.parametrize(("kind", "most", "reason"), [
    (pa.int32(), 2**31 - 1, None), (pa.uint32(), 2**32 - 1, None), (pa.int64(), 2**53, None), (pa.int64(), 2**63 - 1, UNREAD),
    (pa.uint64(), 2**64 - 1, UNREAD)])
def test_whole_numbers_of_parquet_are_read_within_the_bounds(
    tmp_path: Path, kind: pa.DataType, most: int, reason: str | None,
) -> None:
    """No number of 32 bits is beyond the bounds; what is cached leaves the largest of them as it is."""
    rows = pa.table({"time": [1788220800, 1788220801], "model": ["gpt-4o"] * 2, "output_tokens": pa.array([1, 1], kind),
                     "input_tokens": pa.array([5, most], kind), "cached_tokens": pa.array([None, 4], kind)})
    pq.write_table(rows, tmp_path / "calls.parquet")
    found = records(tmp_path, tmp_path / "calls.parquet")
    read = None if reason else most - 4
    assert [(row["uncached_input"], row["dropped"]) for row in found] == [(5, None), (read, reason)]


def test_a_query_parses_the_text_of_a_whole_number_in_five_places(tmp_path: Path) -> None:
    """Its size, itself, its floor, what may group digits, and the number: DuckDB plans each of them anew."""
    cells = ibis.table({"cell": "string"}, "log")
    assert local_engine(tmp_path).compile(cells.select(found=whole(cells, "cell"))).count("TRY_CAST") == 5


@pytest.mark.parametrize(("form", "most"), [
    (AWS_CUR, 30_000), (AZURE_COST, 42_000), (OTEL_GENAI, 26_000),
    (generic_format(FileOptions(), ("time", "input_tokens", "output_tokens", "cached_tokens", "model")), 10_000)])
def test_a_query_names_what_it_reads_where_it_is_used_again(form: Format, most: int, tmp_path: Path) -> None:
    """Written out at each use, an AWS report's model made 740,000 characters of SQL, which took DuckDB seconds to plan."""
    raw = ibis.table(dict.fromkeys(sorted(form.columns | {FILE}), "string"), "log")
    assert len(local_engine(tmp_path).compile(form.records(raw, FileOptions()))) < most


def test_times_of_parquet_are_read_in_every_unit(tmp_path: Path) -> None:
    """pandas writes nanoseconds with a zone, which Ibis has no name for; 2026-09-01 is 1,788,220,800 s after 1970."""
    for unit in ("s", "ms", "us", "ns"):
        at = pa.array([1788220800 * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]], pa.timestamp(unit, "UTC"))
        pq.write_table(pa.table({"time": at, "input_tokens": [5], "output_tokens": [1]}), tmp_path / f"{unit}.parquet")
        assert [row["at_us"] for row in records(tmp_path, tmp_path / f"{unit}.parquet")] == [1788220800_000000]


AS_PYTHON = {
    "{'input': 5, 'output': None}": {"input": 5, "output": None}, '{"input": 5}': {"input": 5}, "['a', 'b']": ["a", "b"],
    "{'a': {'b': [1, None, True, False]}}": {"a": {"b": [1, None, True, False]}},
    """{'said': "it's", 'input': 5}""": {"said": "it's", "input": 5},
    """{'said': 'a "word"', 'input': 5}""": {"said": "", "input": 5},
    r"""{'said': 'it\'s "so"', 'input': 5}""": {"said": "", "input": 5},
    r"{'said': 'a\\', 'input': 5}": {"said": "", "input": 5},
    "{'None': 1, 'True': None, 'model': 'None'}": {"None": 1, "True": None, "model": "None"},
    '{"said": "None, it\'s"}': {"said": "None, it's"},
    "{'input': 5": None, "{1: 2}": None, "{'input': Decimal('5')}": None, "None": None, f"{{'a': '{'x' * 4096}'}}": None}


def test_an_object_that_python_wrote_is_the_same_read_by_row_or_by_a_database(tmp_path: Path) -> None:
    """What stands in quotes is no None or True; a text with quotes of both kinds or a backslash is left empty."""
    pq.write_table(pa.table({"cell": list(AS_PYTHON)}), tmp_path / "cells.parquet")
    engine = local_engine(tmp_path)
    table = engine.read_parquet(tmp_path / "cells.parquet")
    documents = json_of(table, "cell")
    assert documents is not None
    read = rows_of(table.select(table.cell, document=documents.cast("string")), engine)
    assert {row["cell"]: row["document"] and json.loads(row["document"]) for row in read} == AS_PYTHON
    assert {text: object_of(text) for text in AS_PYTHON} == AS_PYTHON
