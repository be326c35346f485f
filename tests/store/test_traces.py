"""Traces of calls: columns of the usage log and of the public Azure traces; what cannot be used is named with its line."""

import numpy as np
import pytest

from roi.errors import InputError
from roi.store.traces import read_trace, trace_of

OWN = "arrival_s,input_tokens,cached_tokens,output_tokens\n0,100,60,5\n10,300,0,1\n4,200,200,3\n"
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n"


def written(tmp_path, text):
    path = tmp_path / "trace.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_trace_of_the_usage_log_is_sorted_and_starts_at_zero(tmp_path):
    """3 calls in 10 s; uncached 40, 200 - 199, 300: a prompt that is all cached computes one token."""
    found = read_trace(written(tmp_path, OWN))
    assert found.arrival_s.tolist() == [0.0, 4.0, 10.0]
    assert found.requests_per_s == pytest.approx(0.3)
    drawn = found.drawn()
    assert drawn.uncached_tokens.tolist() == [40.0, 1.0, 300.0]
    assert drawn.cached_tokens.tolist() == [60.0, 199.0, 0.0]
    assert found.arrivals().tolist() == pytest.approx([0.0, 1.2, 3.0])


def test_what_calls_find_beyond_what_nearly_all_do_is_their_own_history(tmp_path):
    """One prefix of 60 tokens is held once for all; of a conversation that grows by 40 a turn each call holds 0, 40 and 80."""
    rows = "arrival_s,input_tokens,cached_tokens,output_tokens\n"
    prefix, grows = (rows + "".join(f"{k},200,{found},5\n" for k, found in enumerate(all_found))
                     for all_found in ((60, 60, 0, 60), (60, 100, 140)))
    found = read_trace(written(tmp_path, prefix))
    assert (found.drawn().common_tokens, found.shape.alone_tokens) == (60.0, 0.0)
    shape = read_trace(written(tmp_path, grows)).shape
    assert (shape.cached_tokens, shape.alone_tokens) == (100.0, pytest.approx(40.0, abs=5.0))
    none = "arrival_s,input_tokens,cached_tokens,output_tokens\n0,100,0,5\n1,100,0,5\n"
    assert read_trace(written(tmp_path, none)).shape.alone_tokens == 0.0


def test_an_azure_trace_is_read_by_its_own_columns(tmp_path):
    found = read_trace(written(tmp_path, AZURE))
    assert found.arrival_s.tolist() == pytest.approx([0.0, 4.314579], abs=1e-5)
    assert found.output_tokens.tolist() == [44.0, 109.0]


def test_another_models_tokens_are_scaled(tmp_path):
    found = read_trace(written(tmp_path, OWN)).seen_as(1.1, 2.0, 7.0)
    assert found.input_tokens.tolist() == pytest.approx([110.0, 220.0, 330.0])
    assert found.output_tokens.tolist() == pytest.approx([5 * 2.2 + 7, 3 * 2.2 + 7, 2.2 + 7])


def test_the_shape_has_means_and_spreads(tmp_path):
    shape = read_trace(written(tmp_path, OWN)).shape
    assert shape.output_tokens == 3.0
    assert shape.output_cv == pytest.approx(np.std([5, 3, 1]) / 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ": empty"), ("x\n", "has no column arrival_s or timestamp"),
        ("when,tok_in,tok_out\n1,2,3\n", r"where it is a log of calls, roi usage .*\.csv --trace OUT\.csv makes a trace of it"),
        ("arrival_s,input_token,output_tokens\n0,1,1\n", "no column input_tokens or contexttokens; nearest: input_token"),
        ("arrival_s,input_tokens,output_tokens\n0,1,1\n1,x,1\n", "line 3: input_tokens 'x' is no number"),
        ("arrival_s,input_tokens,output_tokens\n0,1,1\nnoon,1,1\n", "line 3: arrival_s 'noon' is no time"),
        ("arrival_s,input_tokens,output_tokens\n0,1,1\n1,-5,1\n", "line 3: input_tokens '-5' is not usable"),
        ("arrival_s,input_tokens,output_tokens\n0,1,1\n-5,1,1\n", "line 3: arrival_s '-5' is not usable; 0 or more"),
        ("arrival_s,input_tokens,output_tokens\n0,1\n", "line 2: output_tokens '' is no number"),
        ("arrival_s,input_tokens,output_tokens\n0,1,1\n", "has 1 call; a replay needs two or more"),
        ("arrival_s,input_tokens,output_tokens\n5,1,1\n5,1,1\n", "all calls arrive at one time"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        read_trace(written(tmp_path, text))


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_trace(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-16, not UTF-8"):
        read_trace(tmp_path / "b.csv")


def test_a_parquet_trace_is_read_through_the_usage_room(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    from roi.usage.measure.call_trace import read_parquet_trace

    path = tmp_path / "calls.parquet"
    rows = "select 0.0 as arrival_s, 100 as input_tokens, 60 as cached_tokens, 5 as output_tokens"
    rows += " union all select 4.0, 200, 0, 3"
    duckdb.sql(rows).write_parquet(str(path))
    assert read_parquet_trace(path).cached_tokens.tolist() == [60.0, 0.0]
    duckdb.sql("select 1 as arrival_s").write_parquet(str(tmp_path / "less.parquet"))
    with pytest.raises(InputError, match=r"no column input_tokens; it has arrival_s; .* --trace OUT\.csv"):
        read_parquet_trace(tmp_path / "less.parquet")
    (tmp_path / "bad.parquet").write_text("no parquet")
    with pytest.raises(InputError, match="no Parquet file"):
        read_parquet_trace(tmp_path / "bad.parquet")


def test_rows_that_are_no_load_are_refused():
    with pytest.raises(InputError, match="x has 0 calls"):
        trace_of(np.empty((0, 4)), "x")


def hour(calls=600):
    return trace_of(np.array([(6.0 * k, 100.0, 10.0, 0.0) for k in range(calls)]), "t")


def test_a_trace_that_is_squeezed_into_seconds_is_repeated_until_half_a_minute_is_covered():
    """600 calls in 3,594 s, 0.167 a second: 1,000 times as fast they last 3.6 s, so nine times one after the other."""
    trace = hour()
    slow, fast = trace.at(10.0), trace.at(1000.0)
    assert slow.arrival_s.size == 600
    assert fast.arrival_s.size == 9 * 600
    assert fast.arrival_s[-1] >= 30.0
    assert fast.requests_per_s == pytest.approx(1000.0 * trace.requests_per_s, rel=0.01)
    assert np.all(np.diff(fast.arrival_s) >= 0.0)


def test_a_rate_that_no_replay_can_hold_long_enough_is_refused_with_the_most():
    """20,000 calls in 5 s are 4,000 a second: 23,960 times 0.16694 a second."""
    with pytest.raises(InputError, match=r"--times: 1,000,000 times as fast is 166,945 requests a second.*at most 23,960"):
        hour().at(1e6)
