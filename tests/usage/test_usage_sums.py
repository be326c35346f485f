"""What a backend is asked for, against the same sums in NumPy, and the public trace."""

import math

import numpy as np
import pandas as pd
import pytest
from genai_prices.data_snapshot import get_snapshot
from usage_support import bin_of_count

from roi.usage.formats import FORMATS
from roi.usage.log import read_log
from roi.usage.measure.aggregate import (
    EDGES,
    NONE,
    bin_of,
    length_cells,
    minute_counts,
    read_cells,
    spend_by_day,
    spend_by_group,
)
from roi.usage.read.database import local_engine
from roi.usage.read.files import find_files
from roi.usage.read.record import FileOptions
from roi.usage.summary import Question, summarize

TRACE_ROWS = 4000


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """(a table of calls, its records, the engine): three days, two models, tags, cached tokens, lengths from 0 on."""
    folder = tmp_path_factory.mktemp("log")
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({
        "timestamp": pd.Timestamp("2026-10-01") + pd.to_timedelta(np.sort(rng.uniform(0, 3 * 86400, TRACE_ROWS)), unit="s"),
        "model": rng.choice(["gpt-6-sol", "gpt-6-luna"], TRACE_ROWS), "provider": "openai",
        "tag": rng.choice(["a", "b", None], TRACE_ROWS),
        "input_tokens": rng.integers(0, 5000, TRACE_ROWS), "output_tokens": rng.choice([0, 1, 2, 64, 65, 1024], TRACE_ROWS),
    })  # fmt: skip
    frame["cached_tokens"] = np.where(rng.random(TRACE_ROWS) < 0.4, frame["input_tokens"] // 2, 0)
    frame.to_parquet(folder / "log.parquet")
    engine = local_engine(folder)
    found = read_log(find_files([str(folder / "log.parquet")]), FORMATS, FileOptions(includes_cache=True), engine, folder)
    return frame, found.records, engine


def test_bins_are_floor_of_8_log2_and_powers_of_two_lie_on_their_own_edge(tmp_path):
    """8 log2 1 = 0; 8 log2 2 = 8; 8 log2 1024 = 80; 1,023 lies in bin 79; 0 has its own."""
    import ibis
    import pyarrow as pa

    counts = [0, 1, 2, 3, 1023, 1024, 1025, *(2**k for k in range(2, 31))]
    engine = local_engine(tmp_path)
    table = ibis.memtable(pa.table({"count": counts}))
    found = engine.to_pyarrow(table.select(bin=bin_of(table["count"]))).column("bin").to_pylist()
    assert found == [bin_of_count(count) for count in counts]
    assert found[:7] == [NONE, 0, 8, math.floor(8 * math.log2(3)), 79, 80, 80]
    assert found[7:] == [8 * k for k in range(2, 31)]


def test_sums_by_day_and_model_are_those_of_pandas(log):
    frame, records, engine = log
    found = spend_by_day(records, engine)
    days = (frame["timestamp"] - pd.Timestamp("1970-01-01")).dt.days
    for (day, model), rows in frame.groupby([days, "model"]):
        ours = [each for each in found if (each.day, each.model) == (day, model)]
        assert sum(each.rows for each in ours) == len(rows) == sum(each.requests or 0 for each in ours)
        assert sum(each.tokens["cache_read"] for each in ours) == rows["cached_tokens"].sum()
        assert sum(each.tokens["uncached_input"] for each in ours) == (rows["input_tokens"] - rows["cached_tokens"]).sum()
        assert sum(each.tokens["output"] for each in ours) == rows["output_tokens"].sum()
    assert {each.provider for each in found} == {"openai"}


def test_where_a_format_has_no_groups_no_backend_is_asked_for_their_sums(tmp_path):
    (tmp_path / "a.csv").write_text("timestamp,model,input_tokens,output_tokens\n2026-10-05,gpt-6-sol,1000,40\n")
    engine = local_engine(tmp_path)
    log = read_log(find_files([str(tmp_path / "a.csv")]), FORMATS, FileOptions(), engine, tmp_path)
    assert spend_by_group(log.records, None) == []


def test_groups_leave_out_rows_without_a_group(log):
    frame, records, engine = log
    found = [each for each in spend_by_group(records, engine) if each.group is not None]
    assert {each.group for each in found} == {"a", "b"}
    assert sum(each.rows for each in found) == frame["tag"].notna().sum()


@pytest.mark.parametrize("most", [1, 200, None])
def test_what_is_in_none_of_the_listed_groups_is_added_up_beside_them(log, most):
    """Rows without a tag, and with one group listed the other one's, to the last token."""
    frame, records, engine = log
    sums = spend_by_group(records, engine, most=most)
    found, others = ([each for each in sums if (each.group is None) is of_none] for of_none in (False, True))
    rest = frame[~frame["tag"].isin({each.group for each in found})]
    assert {each.group for each in others} == {None}
    assert sum(each.rows for each in others) == sum(each.requests or 0 for each in others) == len(rest)
    assert sum(each.tokens["output"] for each in others) == rest["output_tokens"].sum()
    assert len(found) == len({(each.group, each.day, each.model, each.size_class) for each in found})


def test_minutes_are_those_of_pandas(log):
    frame, records, engine = log
    found, since = minute_counts(records, engine), frame["timestamp"] - pd.Timestamp("1970-01-01")
    minute = since // pd.Timedelta("1min")
    expected, within = minute.value_counts().sort_index(), since - minute * pd.Timedelta("1min")
    assert found.minute.tolist() == expected.index.tolist()
    assert found.calls.tolist() == found.rows.tolist() == expected.tolist()
    for counted, there in ((found.even, within == pd.Timedelta(0)), (found.soon, within.between("1us", "10s"))):
        assert counted.tolist() == there.groupby(minute).sum().tolist()
    assert found.latest_us == pytest.approx((within.groupby(minute).max() / pd.Timedelta("1us")).to_numpy(), abs=1)  # whole


def test_length_cells_add_up_to_every_call_and_token(log):
    frame, records, engine = log
    cells = length_cells(records, engine)
    assert sum(cell.calls for cell in cells) == TRACE_ROWS
    assert sum(cell.input_tokens for cell in cells) == frame["input_tokens"].sum()
    assert sum(cell.output_tokens for cell in cells) == frame["output_tokens"].sum()
    input_bins, output_bins = frame["input_tokens"].map(bin_of_count), frame["output_tokens"].map(bin_of_count)
    for cell in cells:
        inside = frame[(input_bins == cell.input_bin) & (output_bins == cell.output_bin)]
        assert (cell.calls, cell.input_tokens) == (len(inside), inside["input_tokens"].sum())
    assert length_cells(records, engine, most=cells[-1].longest) == cells  # 5,000 + 1,024 at most, and no edge below 8,192
    assert {cell.context_class for cell in cells} == {0}


def test_a_cell_is_the_same_where_the_edges_that_no_call_exceeds_are_not_asked_for(tmp_path):
    """8,192 and 32,000 tokens are exceeded by one more; a call of 40,961 exceeds 8,192, 16,384, 32,768 and 40,960."""
    given = (8_191, 8_192, 32_000, 32_001, 40_960)
    rows = "".join(f"2026-10-05T0{k}:00:00Z,gpt-6-sol,{tokens},1\n" for k, tokens in enumerate(given))
    (tmp_path / "a.csv").write_text(f"timestamp,model,input_tokens,output_tokens\n{rows}")
    engine = local_engine(tmp_path)
    records = read_log(find_files([str(tmp_path / "a.csv")]), FORMATS, FileOptions(), engine, tmp_path).records
    for most in (None, 40_961, 40_962):
        found = {cell.longest - 1: (cell.size_class, cell.context_class) for cell in length_cells(records, engine, most)}
        assert found == {8_191: (0, 0), 8_192: (0, 1), 32_000: (0, 2), 32_001: (1, 2), 40_960: (1, 4)}, most


def test_a_log_of_two_calls_is_asked_with_few_words(tmp_path, monkeypatch):
    """What Ibis and DuckDB's planner take is by the word: 20,000 characters of SQL were a third of a second, mostly theirs."""
    (tmp_path / "a.csv").write_text("timestamp,model,input_tokens,output_tokens\n"
                                    "2026-10-05T00:00:00Z,gpt-6-sol,1000,40\n2026-10-05T01:00:00Z,gpt-6-sol,1000,40\n")
    asked, backend = [], type(local_engine(tmp_path))
    compiled = backend.compile
    monkeypatch.setattr(backend, "compile", lambda *words, **more: asked.append(compiled(*words, **more)) or asked[-1])
    assert summarize(Question((str(tmp_path / "a.csv"),), FileOptions())).workload.requests == 2
    assert (len(asked), sum(map(len, asked)) < 15_000) == (6, True), sum(map(len, asked))


def test_read_cells_hold_the_calls_that_read_from_the_cache(log):
    frame, records, engine = log
    cells = read_cells(records, engine)
    assert sum(cell.calls for cell in cells) == (frame["cached_tokens"] > 0).sum()
    assert sum(cell.cache_read for cell in cells) == frame["cached_tokens"].sum()


def test_a_size_class_tells_every_price_edge_apart():
    """A call of 272,001 input tokens exceeds every edge up to 272,000: 32, 100, 128, 199.999, 200, 256 and 272 thousand: 7."""
    assert sum(edge < 272_001 for edge in EDGES) == 7
    edges = set()
    for provider in get_snapshot().providers:
        for model in provider.models:
            priced = [each.prices for each in model.prices] if isinstance(model.prices, list) else [model.prices]
            for prices in priced:
                for rate in (prices.input_mtok, prices.output_mtok, prices.cache_read_mtok, prices.cache_write_mtok):
                    edges |= {tier.start for tier in getattr(rate, "tiers", ())}
    assert edges <= set(EDGES)
