"""Cells of tables of serving runs: what is read for what it certainly says, and what skips the row with its reason."""

import pytest
from roi.store.tables.row_fields import Unusable
from roi.store.tables.serving_cells import stated_count, stated_number
from test_serving_rows import ROW, defaults, run

from roi.store.tables.serving_table import serving_table


@pytest.mark.parametrize(("text", "value"), [
    ("128", 128), ("128 ", 128), ("1e3", 1000), ("1,024", 1024), ("1,048,576", 1048576), ("128.5", 128.5), ("128 tokens", 128),
    ("mean 512", 512), ("512 (mean)", 512), ("avg: 512", 512), ("512 ± 10", 512), ("n.s.", None), ("nan", None), ("", None),
    ("-", None), ("1\u00a0024", 1024), ("512.000", 512), ("3.517", 3.517),
])  # fmt: skip
def test_a_number_is_read_as_people_write_it(text, value):
    assert stated_number({"isl": text}, "isl") == value


@pytest.mark.parametrize(("text", "why"), [
    ("~500", "not a number of tokens (an estimate)"), ("128-256", "not a number of tokens (a range; write its mean)"),
    ("128 to 256", "not a number of tokens (a range; write its mean)"), ("<=512", "not a number of tokens (a bound)"),
    ("p50 512", "not a number of tokens (no mean)"), ("50%", "not a number of tokens (a percentage)"),
    ("1k", "not a number of tokens (1,000 or 1,024 each? write it in full)"), ("8,5", "a decimal comma; write a point"),
    ("0,250", "a decimal comma; write a point"), ("1.024", "a decimal point or a thousands separator? write it in full"),
    ("-5", "not above 0"), ("0", "not above 0"),
    ("0.5", "not from 1 to 10,000,000 tokens"), ("1e400", "not from 1 to 10,000,000 tokens"), ("inf", "not a number of tokens"),
    ("128 ms", "not a number of tokens"), ("abc", "not a number of tokens"), ("128 256", "not a number of tokens"),
])  # fmt: skip
def test_a_cell_that_is_not_certain_skips_its_row_with_column_value_and_reason(text, why):
    with pytest.raises(Unusable) as reason:
        run(isl=text)
    assert str(reason.value) == f"isl: {text!r}; {why}"


@pytest.mark.parametrize(("text", "ms"), [
    ("8", 8.0), ("8 ms", 8.0), ("0.008 s", 8.0), ("8000 us", 8.0), ("12.5 ± 0.3 ms", 12.5),
])  # fmt: skip
def test_a_unit_in_a_cell_is_converted_to_the_columns(text, ms):
    assert stated_number({"tpot_ms": text}, "tpot_ms") == pytest.approx(ms)


@pytest.mark.parametrize(("column", "text"), [
    ("n_gpus", "abc"), ("tp", "1.5"), ("n_gpus", "0"), ("tp", "TP4 PP2"), ("n_gpus", "2x8"), ("concurrency", "16-32"),
    ("concurrency", "0"), ("params_b", "8x7"), ("params_b", "8030000000"), ("req_per_s", "fast"), ("total_tok_per_s", "-1"),
    ("ttft_ms", "0"), ("tpot_ms", "8%"), ("lora", "maybe"),
])  # fmt: skip
def test_every_column_that_is_read_is_checked(column, text):
    with pytest.raises(Unusable, match=rf"^{column}: '{text}'; "):
        run(**{column: text})


@pytest.mark.parametrize("text", ["8", "8.0", "TP8", "tp=8", "8 GPUs", "8x", "8x H100"])
def test_a_count_of_gpus_is_read_with_its_words(text):
    assert stated_count({"tp": text}, "tp") == 8.0


@pytest.mark.parametrize("text", [
    "2024", "2024-06", "2024/06/30", "30.06.2024", "June 2024", "20240630", "2024-Q2", "6/30/24", "Q2 '24",
])  # fmt: skip
def test_a_date_needs_a_year_and_no_more(text):
    found = run(date=text, engine_version="")
    assert (found.engine, found.assumed) == ("vllm-2024", ())


@pytest.mark.parametrize("text", ["soon", "Jun-25", "1730000000"])
def test_a_date_without_a_year_is_noted_where_a_version_decides_and_else_skips_the_row(text):
    assert defaults(date=text) == ["engine_version in place of an unread date"]
    with pytest.raises(Unusable, match=f"^date: '{text}'; no year in it, and no engine_version"):
        run(date=text, engine_version="")


def test_a_skipped_row_costs_nothing_else():
    table = serving_table([ROW, *({**ROW, "id": f"bad-{k}", column: "0"} for k, column in enumerate(("isl", "ttft_ms", "tp")))])
    assert [each.id for each in table.runs] == ["lab-7"]
    assert table.skipped[0] == ("bad-0", "isl: '0'; not above 0")
    assert [label.id for label in table.labels] == ["lab-7", "bad-0", "bad-1", "bad-2"]


def test_a_comma_is_not_read_where_another_row_has_a_decimal_one():
    rows = [{**ROW, "isl": "1,024"}, {**ROW, "id": "lab-8", "ttft_ms": "8,5"}, {**ROW, "id": "lab-9"}]
    table = serving_table(rows)
    assert [each.id for each in table.runs] == ["lab-9"]
    assert dict(table.skipped) == {
        "lab-7": "isl: '1,024'; a decimal comma or a thousands separator? row 'lab-8' has ttft_ms '8,5'",
        "lab-8": "ttft_ms: '8,5'; a decimal comma; write a point",
    }  # fmt: skip


@pytest.mark.parametrize("change", [
    {"tpot_ms": "0.008"}, {"ttft_ms": "0.05"}, {"output_tok_per_s": "1e9"}, {"req_per_s": "90000"},
])  # fmt: skip
def test_figures_far_beyond_the_roofline_stand_apart(change):
    """7.5e9 parameters of 2 bytes over 3.35 TB/s: no step below 4.5 ms. 14e9 FLOP a token, 1,024 tokens: no prompt below 14."""
    table = serving_table([{**ROW, **change}])
    assert table.runs[0].implausible
    assert table.labels[0].implausible


@pytest.mark.parametrize("change", [{"tpot_ms": "2"}, {"ttft_ms": "5"}, {}])
def test_figures_that_another_precision_or_a_cached_prefix_explain_do_not(change):
    assert not run(**change).implausible


def test_a_percentile_is_no_figure_and_the_row_keeps_its_others():
    p99 = {**ROW, "ttft_ms": "90", "ttft_stat": "p99"}
    table = serving_table([p99, {**p99, "id": "lab-8", "output_tok_per_s": ""}, {**ROW, "id": "lab-9", "ttft_ms": "90",
                                                                                    "ttft_stat": "median"}])
    assert [(each.id, each.ttft_s) for each in table.runs] == [("lab-7", None), ("lab-9", 0.09)]
    assert table.unread == (("lab-7", "ttft_stat: 'p99'; a percentile, and means are predicted"),)
    assert table.skipped == (("lab-8", "ttft_stat: 'p99'; a percentile, and means are predicted"),)
    assert table.labels[0].quantities == {"throughput"}
