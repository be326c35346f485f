"""Tables of serving runs as people keep them: their columns' names, rows without ids, and which kind a table is of."""

import pytest
from roi.store.tables.either_table import read_validation_table
from roi.store.tables.serving_heads import usual_heads

from roi.errors import InputError
from roi.store.tables.serving_table import ServingTable

OWN = """\
Model;GPU;Engine;tp;precision;input tokens;output tokens;load;users;output tok/s;TTFT (ms);TPOT (ms)
qwen3-8b;L40S;vllm;1;fp8;1024;128;closed loop;16;700;250;22
qwen3-8b;H100;vllm;1;fp8;1024;128;closed loop;16;2000;90;7
"""


def test_a_spreadsheet_in_its_owners_words_is_read_and_its_rows_are_numbered(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text(OWN, encoding="utf-8")
    table = read_validation_table(path)
    assert isinstance(table, ServingTable)
    assert [run.id for run in table.runs] == ["row 1", "row 2"]
    first = table.runs[0]
    assert (first.output_tokens_per_s, first.ttft_s, first.tpot_s, first.load.concurrency) == (700.0, 0.25, 0.022, 16.0)


def test_a_name_that_stands_there_already_stays_and_training_tables_keep_theirs():
    assert usual_heads(["id", "run", "isl", "input_tokens"]) == ["id", "run", "isl", "input_tokens"]
    assert usual_heads(["run", "method", "framework", "batch_size"]) == ["run", "method", "framework", "batch_size"]


def test_lengths_and_latencies_without_an_engine_are_of_serving_and_the_engine_is_missed(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,model,gpu,isl,osl,ttft_ms\na,qwen3-8b,L40S,128,128,50\n", encoding="utf-8")
    with pytest.raises(InputError, match="has no column 'engine'"):
        read_validation_table(path)
