"""roi usage on bad input: what can be read is kept, what is left out is named with file and line, nothing becomes 0."""

import gzip
import json
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import Mock

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from usage_support import records

from roi.cli import main
from roi.errors import MissingExtra
from roi.usage import duplicates
from roi.usage.read import raw
from roi.usage.read.lazy_ibis import ibis

HEADER = "timestamp,model,input_tokens,output_tokens,cached_tokens,body"
BUCKETS = "start_time,end_time,model,input_tokens,output_tokens,num_model_requests,input_cached_tokens"
HELICONE = "response_id,response_status,request_created_at,model,prompt_tokens,completion_tokens"


class Answer(NamedTuple):
    code: int
    data: dict[str, Any]
    """The JSON answer; empty where the run was refused."""
    error: str

    @property
    def left_out(self) -> dict[str, int]:
        return {each["reason"]: each["rows"] for each in self.data["dropped"]}

    @property
    def places(self) -> list[str]:
        return [each["where"] for each in self.data["dropped"]]


def usage(*arguments: Path | str) -> Answer:
    """`roi usage` as JSON; a refusal is one line on stderr and an empty stdout."""
    run = CliRunner().invoke(main, ["usage", "--format", "json", "--tasks", "0", *map(str, arguments)])
    assert run.exception is None or isinstance(run.exception, SystemExit), run.exception
    if run.exit_code:
        assert run.stdout == ""
        assert run.stderr.startswith("roi: ")
        assert run.stderr.count("\n") == 1
        return Answer(run.exit_code, {}, run.stderr)
    return Answer(0, json.loads(run.stdout), run.stderr)


def calls(count: int, day: int = 1, body: str = "x") -> list[str]:
    """Call k: 1000 + k tokens in, 100 + k out, at hour k."""
    return [f"2026-09-{day:02d}T{k:02d}:00:00Z,gpt-4o,{1000 + k},{100 + k},0,{body}" for k in range(count)]


def table(path: Path, rows: list[str], header: str = HEADER, encoding: str = "utf-8") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding=encoding, newline="")
    return path


def bucket(day: int) -> str:
    """Ten requests."""
    return f"2026-09-{day:02d}T00:00:00Z,2026-09-{day + 1:02d}T00:00:00Z,gpt-4o-mini,1000,100,10,0"


@pytest.mark.full
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encodings_byte_order_marks_and_delimiters_read_alike(tmp_path: Path, encoding: str, delimiter: str) -> None:
    """1000 + 1001 + 1002 = 3003."""
    rows = [row.replace(",", delimiter) for row in calls(3, body="caf\u00e9")]
    found = usage(table(tmp_path / "a.csv", rows, HEADER.replace(",", delimiter), encoding))
    assert found.data["tokens"]["uncached_input"] == 3003
    assert found.left_out == {}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_lines_before_the_header_do_not_matter(tmp_path: Path, end: str) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes((end * 2 + end.join([HEADER, *calls(3)])).encode())
    found = usage(file)
    assert found.data["requests"] == 3
    assert found.left_out == {}


@pytest.mark.full
def test_lines_with_other_cells_are_left_out_and_named_by_their_line(tmp_path: Path) -> None:
    """Each body spans three lines, so row k begins on line 2 + 3 k; rows 3 and 5 are lines 11 and 17."""
    rows = calls(7, body='"one\n""two""\nthree"')
    rows[3] += ",more"
    rows[5] = "2026-09-01T05:00:00Z,gpt-4o"
    found = usage(table(tmp_path / "a.csv", rows))
    assert found.data["requests"] == 5
    assert found.left_out == {"a line with more cells than the header": 1, "a line with fewer cells than the header": 1}
    assert sorted(found.places) == [f"{tmp_path}/a.csv, line 11", f"{tmp_path}/a.csv, line 17"]
    refused = usage(tmp_path / "a.csv", "--strict")
    assert refused.code == 2
    assert "line 1" in refused.error


@pytest.mark.parametrize(("encoding", "end"), [("utf-8", b"\n"), ("latin-1", b"\n"), ("utf-8", b"\r\n")])
def test_an_open_quote_costs_the_lines_that_it_swallows_and_says_so(tmp_path: Path, encoding: str, end: bytes) -> None:
    """Row 4 opens a quote that row 7 ends: lines 6 to 9 are lost, 10 - 4 = 6 rows count."""
    rows = calls(10, body="\u00e9")
    rows[4] = rows[4].replace("\u00e9", '"open')
    rows[7] = rows[7].replace("\u00e9", '"late"')
    file = table(tmp_path / "a.csv", rows, encoding=encoding)
    file.write_bytes(file.read_bytes().replace(b"\n", end))
    found = usage(file)
    assert found.data["requests"] == 6
    assert found.left_out == {"a line of a cell whose quotes do not match": 4}
    assert found.places == [f"{tmp_path}/a.csv, line 6"]


@pytest.mark.full
def test_more_bad_lines_than_duckdb_notes_are_counted_all_the_same(tmp_path: Path) -> None:
    bad = raw.MOST_REJECTS + 500
    found = usage(table(tmp_path / "a.csv", [*calls(3), *["short,line"] * bad, *calls(4, day=2)]))
    assert found.data["requests"] == 7
    assert found.left_out == {"a line with fewer cells than the header": bad}
    assert found.places == [f"{tmp_path}/a.csv, line 5"]


@pytest.mark.full
def test_a_gzip_is_known_by_its_bytes_and_not_by_its_name(tmp_path: Path) -> None:
    plain = table(tmp_path / "plain.csv.gz", calls(3))
    packed = tmp_path / "packed.csv"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    for file in (plain, packed):
        assert usage(file).data["requests"] == 3


@pytest.mark.full
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_gzip_that_is_cut_short_gives_its_whole_lines_and_a_note(tmp_path: Path, kind: str) -> None:
    rows = ["\n".join(calls(24, day, body=f"{day * 7919:x}")) for day in range(1, 29)]
    text = "\n".join([HEADER, *rows])
    if kind == "jsonl":
        lines = text.splitlines()
        text = "\n".join(json.dumps(dict(zip(HEADER.split(","), line.split(","), strict=True))) for line in lines[1:])
    whole = gzip.compress(text.encode())
    file = tmp_path / f"a.{kind}.gz"
    file.write_bytes(whole[: len(whole) // 2])
    found = usage(file)
    assert 100 < found.data["requests"] < 24 * 28
    lines = found.data["requests"] + (kind == "csv")  # and the header
    assert f"a.{kind}.gz ends inside its gzip stream: its first {lines:,} lines could be read" in found.data["notes"][0]
    assert "ends inside its gzip stream" in usage(file, "--strict").error


def test_half_a_json_document_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(json.dumps([{"timestamp": k, "input_tokens": k} for k in range(500)]).encode())
    (tmp_path / "a.json.gz").write_bytes(whole[: len(whole) // 2])
    assert "a.json.gz: the gzip is cut short" in usage(tmp_path / "a.json.gz").error


@pytest.mark.full
def test_bytes_behind_a_gzip_lose_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress("\n".join([HEADER, *calls(5)]).encode() + b"\n") + b"more")
    assert usage(tmp_path / "a.csv.gz").data["requests"] == 5


@pytest.mark.parametrize(("content", "said"), [
    (b"", "nothing to read; empty"),
    (b" \n\n", "nothing to read; empty"),
    (HEADER.encode() + b"\n", "nothing to read; empty"),
    (b"[]", "nothing to read; empty"),
    (b'{"object": "page", "data": [{"object": "bucket", "results": []}]}', "nothing to read; empty"),
    (b"\x1f\x8b\x08", "a damaged gzip"),
    (b"\x00\x01\x02\x03" * 50, "neither text nor Parquet"),
    (b"PAR1" + b"x" * 500, "a damaged Parquet file"),
    (b"5", "no table, no JSON and no Parquet"),
    (b"PK\x03\x04" + b"\x00" * 90, "a workbook, whose sheet can be saved as CSV"),
    (b"\n<!DOCTYPE html><html><head><title>Sign in</title></head></html>\n", "a page of HTML or XML, as a portal gives it"),
    (b'[{"object": "response", "model": "gpt-4o"}, {"id": "resp', "Unterminated string starting at; the file ends there"),
    (b"time,model,input,output\n2026-10-01,gpt-4o,1.3M,20k\n", "a.txt, line 2); write counts as whole numbers"),
    (b'{"a": [1,\n2, nope', "line 2: no JSON"),
    (b'{"a": ' + b"[" * 100_000, "nested too deeply"),
    (b"when,tokens\n1,2\n", "no known export has its 2 columns"),
    (b"2026-09-01,gpt-4o,5,5\n2026-09-02,gpt-4o,5,5\n", "line 1 is no header"),
    (b"timestamp,model,input_tokens,output_tokens,input_tokens\n1,m,2,3,4\n", "two columns are named input_tokens"),
    (b"start_time,model,input_tokenz,num_model_requests\n1,m,2,3\n", "input_tokens (renamed to input_tokenz?)"),
])  # fmt: skip
def test_what_is_no_export_is_refused_in_one_line_that_names_the_file(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(content)
    found = usage(file)
    assert found.code == 2
    assert said in found.error
    assert str(file) in found.error


@pytest.mark.parametrize("counted", [{}, {"requests": [3] * 5000}], ids=["calls", "sums"])
def test_a_parquet_file_with_damaged_pages_is_named(counted: dict[str, list[int]], tmp_path: Path) -> None:
    count = 5000
    pq.write_table(pa.table({"timestamp": [f"2026-09-01T00:{k % 60:02d}:00Z" for k in range(count)], "model": ["m"] * count,
                             "input_tokens": list(range(count)), "output_tokens": [5] * count, **counted}),
                   tmp_path / "good.parquet")
    content = (tmp_path / "good.parquet").read_bytes()
    pages = content[:100] + b"\xaa" * 3000 + content[3100:]
    footer = content.replace(b"5\x00\x18\x06schema", b"5\x01\x18\x06schema")  # which pyarrow reads, and DuckDB does not
    for bad in (pages, footer):
        (tmp_path / "bad.parquet").write_bytes(bad)
        for files in (["bad.parquet"], ["good.parquet", "bad.parquet"]):
            found = usage(*(tmp_path / name for name in files))
            assert found.code == 2
            assert "bad.parquet: the table cannot be read, perhaps damaged" in found.error


@pytest.mark.parametrize("error", [duckdb.OutOfMemoryException("Allocation failure"), RuntimeError("can't start new thread")])
def test_a_full_memory_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """It was a damaged table, or a traceback."""
    monkeypatch.setattr("roi.usage.summary._summary_and_trace", Mock(side_effect=error))
    found = usage(table(tmp_path / "a.csv", calls(3)))
    assert (found.code, found.error.startswith("roi: out of memory")) == (1, True)


@pytest.mark.parametrize("kind", [
    pa.time64("us"), pa.list_(pa.int64()),
    *(pytest.param(kind, marks=pytest.mark.full) for kind in (pa.duration("us"), pa.binary(8)))])
def test_a_time_of_another_type_is_no_time(tmp_path: Path, kind: pa.DataType) -> None:
    times = pa.array([None, None], kind)
    pq.write_table(pa.table({"time": times, "model": ["m"] * 2, "input": [1] * 2, "output": [1] * 2}), tmp_path / "a.parquet")
    found = usage(tmp_path / "a.parquet")
    assert (found.code, "2 rows for 'no time that can be read'" in found.error) == (2, True)


def test_a_zip_with_a_damaged_file_is_read_without_it_and_its_list_is_read_but_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once to find the files, and once to read them; it is 10,000 files long at most, and was read again for each of them."""
    lists: list[zipfile.ZipFile] = []

    class Counted(zipfile.ZipFile):
        def __init__(self, *words: Any, **more: Any) -> None:
            super().__init__(*words, **more)
            lists.append(self)

    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for k in range(20):
            archive.writestr(f"{k:02}.csv", "\n".join([HEADER, *calls(5, day=k + 1)]))
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[content.index(b"03.csv") + 20] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(content)
    monkeypatch.setattr("zipfile.ZipFile", Counted)
    found = usage(tmp_path / "a.zip")
    assert (found.code, len(lists)) == (0, 2)
    assert [note for note in found.data["notes"] if "03.csv is left out: damaged: nothing of it can be read" in note]


def test_many_files_that_are_left_out_for_one_reason_are_one_remark(tmp_path: Path) -> None:
    """As the bodies that AWS stores beside a log: a line for each of thousands was a page of nothing else."""
    (tmp_path / "log.csv").write_text("\n".join([HEADER, *calls(5)]))
    for k in range(9):
        (tmp_path / f"r{k}_input.json").write_text(json.dumps({"messages": [{"content": k}], "max_tokens": 3}))
        (tmp_path / f"r{k}_same.json").write_text('{"messages": []}')
    told = [note for note in usage(tmp_path).data["notes"] if "left out" in note]
    assert [note.partition(" such as ")[0] for note in told if " such as " in note] == ["8 files", "9 files"]
    assert len(told) == 3


def test_lines_of_json_that_cannot_be_read_are_left_out_one_by_one(tmp_path: Path) -> None:
    """Of ten lines, 2 to 6 are no objects that can be read; the count of line 7 is no number; line 10 says its count twice,
    and the last of them is not taken."""
    good = {"timestamp": "2026-09-01T00:00:00Z", "model": "gpt-4o", "input_tokens": 5, "output_tokens": 5}
    lines = [json.dumps(good), "nope", "[1]", '"x"', '{"input_tokens": ' + "9" * 5000 + "}", '{"a":' + "[" * 99_999,
             json.dumps(good | {"input_tokens": True}), json.dumps(good | {"model": "\ud800"}), json.dumps(good),
             json.dumps(good).replace("{", '{"input_tokens": 900, ', 1)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    found = usage(tmp_path / "a.jsonl")
    assert found.data["requests"] == 3
    assert found.left_out == {"a line that is no JSON object": 4, "a line that is nested too deeply": 1,
                              "a token count that cannot be read": 1, "a line that gives a key twice": 1}
    assert f"{tmp_path}/a.jsonl, line 2" in found.places


def test_a_first_line_that_gives_a_key_twice_is_left_out_and_a_document_refused(tmp_path: Path) -> None:
    good = json.dumps({"timestamp": "2026-09-01T00:00:00Z", "model": "gpt-4o", "input_tokens": 5, "output_tokens": 5})
    twice = good.replace("{", '{"input_tokens": 900, ', 1)
    (tmp_path / "a.jsonl").write_text(f"{twice}\n{good}\n{good}\n")
    found = usage(tmp_path / "a.jsonl")
    assert found.left_out == {"a line that gives a key twice": 1}
    assert found.data["requests"] == 2
    (tmp_path / "a.json").write_text(f"[{twice}, {good}]")
    assert "'input_tokens' is given twice" in usage(tmp_path / "a.json").error


def test_a_first_line_longer_than_what_is_peeked_at_is_still_one_of_many(tmp_path: Path) -> None:
    good = {"timestamp": "2026-09-01T00:00:00Z", "model": "gpt-4o", "input_tokens": 5, "output_tokens": 5}
    (tmp_path / "a.jsonl").write_text(json.dumps(good | {"prompt": "x" * 3_000_000}) + "\n" + json.dumps(good) + "\n")
    assert usage(tmp_path / "a.jsonl").data["requests"] == 2


def test_a_name_that_looks_like_a_pattern_means_one_file(tmp_path: Path) -> None:
    """Five files of 1, 2, 4, 8 and 16 calls beside four of 18 that the patterns would take."""
    for k, other in enumerate(("ab.csv", "ac.csv", "a.csv", "b.csv"), start=1):
        table(tmp_path / other, calls(18, day=k))
    names = ("a*.csv", "a?.csv", "a[bc].csv", "it's.csv", "{a,b}.csv")
    files = [table(tmp_path / name, calls(2 ** k, day=9 + k)) for k, name in enumerate(names)]
    found = usage(*files)
    assert (found.data["requests"], found.left_out) == (31, {})


@pytest.mark.parametrize(("argument", "said"), [
    ("nope*.csv", "is not there"), ("export.cvs", "nearest:"), ("folder", "is a folder without"), ("", "names no file")])
def test_arguments_that_mean_no_file_are_refused(tmp_path: Path, argument: str, said: str) -> None:
    table(tmp_path / "export.csv", calls(1))
    (tmp_path / "folder").mkdir()
    found = usage(tmp_path / argument if argument else "")
    assert found.code == 2
    assert said in found.error


def test_the_same_file_twice_and_a_copy_count_once(tmp_path: Path) -> None:
    first = table(tmp_path / "a.csv", calls(5))
    assert usage(first, first).data["requests"] == 5
    shutil.copy(first, tmp_path / "b.csv")
    found = usage(tmp_path)
    assert found.data["requests"] == 5
    assert any("a copy of" in note for note in found.data["notes"])


@pytest.mark.full
@pytest.mark.parametrize("second", ["csv", "csv.gz", "more columns", "semicolons", "latin-1"])
def test_buckets_in_two_exports_count_once_however_the_second_is_written(tmp_path: Path, second: str) -> None:
    """Days 1, 2, 3 and 3, 4: four days of ten requests."""
    first = table(tmp_path / "first.csv", [bucket(day) for day in (1, 2, 3)], BUCKETS)
    rows, header = [bucket(day) for day in (3, 4)], BUCKETS
    if second in ("more columns", "latin-1"):
        rows, header = [row + ",x" for row in rows], BUCKETS + (",new" if second == "more columns" else ",n\u00e9")
    if second == "semicolons":
        rows, header = [row.replace(",", ";") for row in rows], header.replace(",", ";")
    other = table(tmp_path / "second.csv", rows, header, "latin-1" if second == "latin-1" else "utf-8")
    if second == "csv.gz":
        other.write_bytes(gzip.compress(other.read_bytes()))
    found = usage(first, other)
    assert found.data["requests"] == 40
    assert found.left_out == {duplicates.TWICE: 1}


@pytest.mark.full
def test_a_copied_row_is_counted_where_duckdb_gives_up_on_the_table(tmp_path: Path) -> None:
    """Days 1, 2, 3 and 3, 4 are four days of ten requests; Python reads both files again for their many short lines."""
    bad = raw.MOST_REJECTS + 500
    first = table(tmp_path / "first.csv", [*(bucket(day) for day in (1, 2, 3)), *["short,line"] * bad], BUCKETS)
    second = table(tmp_path / "second.csv", [bucket(day) for day in (3, 4)], BUCKETS)
    found = usage(first, second)
    assert found.data["requests"] == 40
    assert found.left_out == {duplicates.TWICE: 1, "a line with fewer cells than the header": bad}


@pytest.mark.full
def test_calls_that_stand_in_two_files_are_told_where_duckdb_gives_up_on_the_table(tmp_path: Path) -> None:
    bad = raw.MOST_REJECTS + 500
    first = table(tmp_path / "first.csv", [*calls(5), *["short,line"] * bad])
    second = table(tmp_path / "second.csv", [*calls(2), *calls(3, day=9)])
    found = usage(first, second)
    assert found.data["requests"] == 10
    assert any("2 calls stand in two files alike" in note for note in found.data["notes"])


@pytest.mark.full
def test_copies_are_found_beside_a_table_of_mixed_line_ends(tmp_path: Path) -> None:
    """DuckDB refuses the first table; days 1, 2, 3 and 3, 4 are four days of ten requests all the same."""
    first = tmp_path / "first.csv"
    first.write_bytes(f"{BUCKETS}\r\n{bucket(1)}\r\n{bucket(2)}\r\n{bucket(3)}\n".encode())
    found = usage(first, table(tmp_path / "second.csv", [bucket(day) for day in (3, 4)], BUCKETS))
    assert found.data["requests"] == 40
    assert found.left_out == {duplicates.TWICE: 1}


@pytest.mark.full
def test_equal_buckets_of_one_file_count_once_beside_other_files_too(tmp_path: Path) -> None:
    """Days 1, 2, 3 and 3, 3 and 4: a day is a day however often it is written, so 1, 2, 3, 4 count."""
    days = [(1, 2, 3), (3, 3), (4,)]
    files = [table(tmp_path / f"{k}.csv", [bucket(day) for day in each], BUCKETS) for k, each in enumerate(days)]
    found = usage(*files)
    assert found.data["requests"] == 40
    assert found.left_out == {duplicates.TWICE: 1, duplicates.AGAIN: 1}


def test_calls_with_an_id_count_once_over_files(tmp_path: Path) -> None:
    """Ids 1, 2, 2 and 2, 3: three calls."""
    row = "r{0},200,2026-10-01 00:00:0{0},gpt-4o,100,10"
    files = [table(tmp_path / f"{k}.csv", [row.format(i) for i in ids], HELICONE) for k, ids in enumerate([(1, 2, 2), (2, 3)])]
    found = usage(*files)
    assert found.data["requests"] == 3
    assert found.left_out == {duplicates.TWICE: 1, duplicates.AGAIN: 1}


@pytest.mark.full
def test_calls_without_an_id_are_copies_where_the_whole_file_is(tmp_path: Path) -> None:
    """5 + 5 calls of which 2 are alike stay 10; a file of 3 that lies within one of 5 adds none."""
    first = table(tmp_path / "a.csv", calls(5))
    shared = table(tmp_path / "b.csv", [*calls(2), *calls(3, day=9)])
    within = table(tmp_path / "c.csv", calls(3))
    assert usage(first, shared).data["requests"] == 10
    assert usage(first, within).data["requests"] == 5


def test_tables_of_ones_own_with_other_names_count_beside_each_other(tmp_path: Path) -> None:
    first = table(tmp_path / "a.csv", ["2026-09-01T00:00:00Z,gpt-4o,10,5"] * 3, "timestamp,model,input_tokens,output_tokens")
    second = table(tmp_path / "b.csv", ["2026-09-02T00:00:00Z,gpt-4o,10,5"] * 4, "time,model,prompt_tokens,completion_tokens")
    assert usage(first, second).data["requests"] == 7


def test_one_month_through_two_formats_is_refused(tmp_path: Path) -> None:
    own = "timestamp,model,provider,input_tokens,output_tokens"
    first = table(tmp_path / "a.csv", [bucket(1)], BUCKETS)
    second = table(tmp_path / "b.csv", ["2026-09-01T00:00:00Z,gpt-4o-mini,openai,10,5"], own)
    found = usage(first, second)
    assert found.code == 2
    assert "would count twice" in found.error


def test_a_count_is_read_or_its_row_is_named(tmp_path: Path) -> None:
    """70 good rows, 7 x 10,045 tokens, and 1000 of 1e3; six rows of 77 are less than a tenth."""
    cells = ["-5", "1.5", '"1,234"', "", "NaN", "99999999999999999999", "1e3"]
    rows = [*calls(10) * 7, *(f"2026-09-01T02:00:00Z,gpt-4o,{cell},5,0,x" for cell in cells)]
    found = usage(table(tmp_path / "a.csv", rows))
    assert found.left_out == {"a negative count of input tokens": 1, "a token count that cannot be read": 5}
    assert found.data["tokens"]["uncached_input"] == 71_315


@pytest.mark.parametrize(("form", "values", "said"), [
    ("us", ["01/10/2026 10:00", "13/10/2026 10:00", "14/10/2026 10:00"],
     "no time that can be read ({0}, line 3, column timestamp: '13/10/2026 10:00'); --dates eu reads day/month/year"),
    pytest.param("eu", ["10/5/2026", "10/25/2026"], "(10/25/2026'); --dates us reads month/day/year", marks=pytest.mark.full),
    ("iso", ["2026-10-01", "05.10.2026"],
     "line 3, column timestamp: '05.10.2026'); --dates eu reads day/month/year; --dates us reads month/day/year"),
])
def test_dates_in_another_form_are_refused_with_the_first_and_the_form_that_reads_it(
    tmp_path: Path, form: str, values: list[str], said: str,
) -> None:
    """More than a tenth of the rows of each file."""
    file = table(tmp_path / "a.csv", [f"{value},gpt-4o,1000,5,0,x" for value in values])
    found = usage(file, "--dates", form)
    assert found.code == 2
    assert said.format(file).removeprefix("(") in found.error
    assert found.error.count("\n") == 1


@pytest.mark.parametrize("given", ["1,000,200", "1,5", "1.200", "20.000"])
def test_counts_of_an_export_in_another_form_are_told_with_the_first_and_what_to_do(tmp_path: Path, given: str) -> None:
    """A spreadsheet wrote them so: thousands set off, or millions with a decimal comma."""
    rows = [bucket(day).replace(",1000,", f',"{given}",') for day in (1, 2)]
    found = usage(file := table(tmp_path / "a.csv", rows, BUCKETS))
    assert found.code == 2
    assert (f"no row counts: 2 rows for 'a token count that cannot be read' ({file}, line 2, column input_tokens: '{given}');"
            " write counts as whole numbers, without a separator of thousands") in found.error


def test_dates_with_the_day_first_are_read_where_that_is_said(tmp_path: Path) -> None:
    """The first, the second and the thirteenth of October."""
    days = ["01/10/2026 10:00", "2.10.2026", "13-10-2026 1:45 PM"]
    found = usage(table(tmp_path / "a.csv", [f"{day},gpt-4o,1000,5,0,x" for day in days]), "--dates", "eu")
    assert (found.data["days"]["first"], found.data["days"]["last"]) == ("2026-10-01", "2026-10-13")
    assert found.data["requests"] == 3


@pytest.mark.full
def test_numbers_in_another_form_are_refused_with_the_first_and_what_to_do(tmp_path: Path) -> None:
    """1.200 and 2.000 are 1,200 and 2,000 where thousands are set off by points; one of twenty is left out and listed."""
    rows = [f"2026-10-0{k}T10:00:00Z,gpt-4o,{given},5,0,x" for k, given in enumerate(("1.200", "2.000", "900"), start=1)]
    found = usage(file := table(tmp_path / "a.csv", rows))
    assert found.code == 2
    assert (f"2 of 3 rows cannot be read: a token count that cannot be read ({file}, line 2, column input_tokens: '1.200');"
            " write counts as whole numbers, without a separator of thousands\n") in found.error
    all_of_them = usage(table(tmp_path / "c.csv", rows[:2]))  # where no row counts, too
    assert "2 of 2 rows cannot be read" in all_of_them.error
    assert "write counts as whole numbers, without a separator of thousands" in all_of_them.error
    paid = ["timestamp,model,input_tokens,output_tokens,cost", *[f'2026-10-01T10:00:00Z,gpt-4o,1000,5,"0,{k}"' for k in (2, 3)]]
    (tmp_path / "d.csv").write_text("\n".join(paid) + "\n", encoding="utf-8")
    assert "write numbers without a separator of thousands, and with a decimal point" in usage(tmp_path / "d.csv").error
    few = usage(table(tmp_path / "b.csv", [rows[0], *calls(19)]))
    assert few.left_out == {"a token count that cannot be read": 1}


def test_a_negative_input_is_what_is_wrong_of_a_row_whatever_was_cached(tmp_path: Path) -> None:
    """Cached tokens above an input of 10 are; of an input of -5 the input is; and -3 cached tokens of 10 are neither."""
    rows = [f"2026-09-01T0{k}:00:00Z,gpt-4o,{given},5,{cached},x" for k, (given, cached) in enumerate(
        [(10, 50), (-5, 0), (-5, 3), (-5, 50), (10, -3)])]
    own = usage(table(tmp_path / "a.csv", [*calls(1), *rows])).left_out
    assert {reason.partition(";")[0]: count for reason, count in own.items()} == {
        "cached tokens above the input": 1, "a negative count of input tokens": 3, "a negative token count": 1}
    buckets = [bucket(1), bucket(2).replace(",1000,100,10,0", ",-5,100,10,3"), bucket(3).replace(",10,0", ",10,2000")]
    assert usage(table(tmp_path / "b.csv", buckets, BUCKETS)).left_out == {
        "a negative count of input tokens": 1, "cached tokens above the input": 1}


def test_cached_tokens_above_the_input_are_left_out_unless_the_input_leaves_them_out(tmp_path: Path) -> None:
    file = table(tmp_path / "a.csv", [*calls(1), "2026-09-01T02:00:00Z,gpt-4o,10,5,50,x"])
    assert list(usage(file).left_out.values()) == [1]
    assert usage(file, "--input-includes-cache", "no").data["tokens"]["cache_read"] == 50


def test_times_with_and_without_an_offset_and_of_every_epoch_are_one_moment(tmp_path: Path) -> None:
    """2026-09-01 00:00 UTC is 1788220800 s after 1970."""
    times = ("2026-09-01T02:00:00+02:00", "2026-09-01 00:00:00", "2026-09-01",
             "1788220800", "1788220800000", "1788220800000000")
    file = table(tmp_path / "a.csv", [f"{time},gpt-4o,5,5,0,x" for time in times])
    assert [row["at_us"] for row in records(tmp_path, file)] == [1_788_220_800_000_000] * 6


def test_cents_and_dollars_of_the_cost_exports_are_told_apart(tmp_path: Path) -> None:
    """123.45 is 1.2345 dollars at Anthropic, 123.45 dollars at OpenAI."""
    cents = {"starting_at": "2026-09-01T00:00:00Z", "ending_at": "2026-09-02T00:00:00Z",
             "results": [{"amount": "123.45", "currency": "USD", "cost_type": "tokens"}]}
    dollars = {"object": "bucket", "start_time": 1_788_220_800, "end_time": 1_788_307_200,
               "results": [{"object": "organization.costs.result", "amount": {"value": 123.45, "currency": "usd"}}]}
    (tmp_path / "a.json").write_text(json.dumps({"data": [cents]}))
    (tmp_path / "b.json").write_text(json.dumps({"object": "page", "data": [dollars]}))
    found = {row["provider"]: row["cost_usd"] for row in records(tmp_path, tmp_path / "a.json", tmp_path / "b.json")}
    assert found == pytest.approx({"anthropic": 1.2345, "openai": 123.45})


def test_the_extra_that_reads_usage_is_named_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, *_: object) -> None:
        raise ModuleNotFoundError(name=name)

    with monkeypatch.context() as patched:
        patched.delitem(sys.modules, "ibis")
        patched.setattr("builtins.__import__", refuse)
        with pytest.raises(MissingExtra) as raised:
            _ = ibis.duckdb
    assert str(raised.value) == "this needs ibis: pip install 'lora-roi[usage]'"


@pytest.mark.parametrize(("options", "said"), [
    (["--map", "time=timestmp"], "nearest: timestamp"), (["--map", "tme=timestamp"], "nearest: time"),
    (["--map", "time=timestamp", "--map", "time=model"], "given twice"), (["--map", "time"], "write it as time=COLUMN"),
    (["--incumbent", "gpt-4"], "nearest: gpt-4o"), (["--task", "x"], "unknown group"), (["--from", "openai-cs"], "openai-csv"),
    (["--provider", "opnai"], "nearest: openai"), (["--timezone", "Mars/Olympus"], "Europe/Berlin"),
    (["--timezone", "berlin"], "'berlin' is no zone; nearest: Europe/Berlin"),
    (["--timezone", "Asia/Tokio"], "'Asia/Tokio' is no zone; nearest: Asia/Tokyo"),
    (["--backend", "nosuch://x"], "unknown scheme 'nosuch'; known: postgres, postgresql, pyspark, duckdb,"),
])  # fmt: skip
def test_wrong_options_name_the_value_and_what_is_near(tmp_path: Path, options: list[str], said: str) -> None:
    found = usage(table(tmp_path / "a.csv", calls(2)), *options)
    assert found.code == 2
    assert said in found.error


@pytest.mark.full
def test_a_header_of_three_thousand_columns_is_read(tmp_path: Path) -> None:
    names = [f"c{k}" for k in range(3000)]
    rows = ["2026-09-01T00:00:00Z,gpt-4o,10,5," + ",".join(["x"] * 3000)] * 20
    file = table(tmp_path / "a.csv", [*rows, "2026-09-01T00:00:00Z,gpt-4o,1"],
                 ",".join(["timestamp", "model", "input_tokens", "output_tokens", *names]))
    found = usage(file)
    assert found.data["requests"] == 20
    assert found.left_out == {"a line with fewer cells than the header": 1}
    assert found.places == [f"{file}, line 22"]


def test_a_table_that_a_spreadsheet_saved_in_windows_1252_is_read(tmp_path: Path) -> None:
    """A euro sign in the header is byte 0x80 there, which UTF-8 has not and Latin-1 calls a control."""
    file = tmp_path / "kosten.csv"
    rows = "".join(f"{day:02}.09.2026;gpt-4o;{day};1000;20;3.59\n" for day in range(1, 31))
    file.write_bytes(f"Datum;Modell;Anfragen;Eingabe;Ausgabe;Kosten (€)\n{rows}".encode("cp1252"))
    named = ("time=Datum", "model=Modell", "requests=Anfragen", "input=Eingabe", "output=Ausgabe", "cost=Kosten (€)")
    found = usage(file, *(word for each in named for word in ("--map", each)), "--dates", "eu")
    assert found.data["requests"] == 465
    assert found.data["total_usd"] == pytest.approx(30 * 3.59)
