"""CSV files of measured runs as other programs write them: separators, heads, byte order marks, line ends."""

import pytest

from roi.errors import InputError
from roi.store.tables import csv_table
from roi.store.tables.csv_table import read_csv
from roi.store.tables.training_table import TrainingRow

HEADS = "id,model,gpu,weight_dtype,engine,load,isl,osl,concurrency,output_tok_per_s,reference"
ROWS = ("own-1,llama-3.1-8b,H100-80GB-SXM,bf16,vllm,closed,1024,256,16,1000.5,",
        "own-2,llama-3.1-8b,H100-80GB-SXM,bf16,vllm,closed,1024,256,32,1700,first")
PLAIN = "\n".join((HEADS, *ROWS))


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("text", [
    PLAIN, PLAIN.replace("\n", "\r\n"), PLAIN + "\n\n\n,,,,,,,,,,\n\n", PLAIN.replace(",", ";"), PLAIN.replace(",", "\t"),
    PLAIN.replace(",", "|"), "sep=;\n" + PLAIN.replace(",", ";"), "\ufeff" + PLAIN, "\ufeffsep=,\r\n" + PLAIN,
    PLAIN.replace(HEADS, HEADS.upper()), PLAIN.replace(HEADS, HEADS.replace(",", " , ")),
    PLAIN.replace("weight_dtype", "Weight Dtype").replace("output_tok_per_s", "Output-tok-per-s"),
])  # fmt: skip
def test_a_table_is_read_however_a_program_writes_it(tmp_path, text):
    table = read_csv(write(tmp_path / "t.csv", text))
    assert ",".join(table.columns) == HEADS
    assert [(row.id, row.cells["output_tok_per_s"]) for row in table.rows] == [("own-1", "1000.5"), ("own-2", "1700")]
    assert "reference" not in table.rows[0].cells


def test_commas_inside_quotes_are_no_separators_and_lines_are_counted_as_the_file_has_them(tmp_path):
    table = read_csv(write(tmp_path / "t.csv", PLAIN.replace(",first", ',"a, b\nand c"') + "\nown-3" + ",x" * 10))
    assert [row.cells.get("reference") for row in table.rows] == [None, "a, b\nand c", "x"]
    assert [row.line for row in table.rows] == [2, 4, 5]


def test_rows_without_ids_are_named_by_their_line(tmp_path):
    assert [row.id for row in read_csv(write(tmp_path / "t.csv", "model,gpu\na,b\n\nc,d\n")).rows] == ["line 2", "line 4"]


@pytest.mark.parametrize(("text", "told"), [
    ("", "is empty"), ("\n\n", "is empty"), ("sep=;\n", "is empty"), (HEADS, "has a head but no rows"),
    (PLAIN.replace("reference", "ISL"), "the column 'isl' twice"),
    (PLAIN.replace(",1024,", ",1,024,"), "line 2: 12 cells under 11 columns, separated by commas; a cell that holds one"),
    (PLAIN.replace("own-2", "own-1"), "the id 'own-1' occurs twice, in lines 2 and 3; one row"), ('id,a\n1,"x\n', "is not CSV"),
    ("id,model,correct\n1,gpt-4o,1\n1,mine,0\n", "results of an evaluation and no table of runs; roi quality "),
    ("id,model,score\n1,gpt-4o,0.5\n2,mine,1\n", "results of an evaluation and no table of runs; roi quality "),
    ("y" * 140_000 + f",{HEADS}", "is not CSV: field larger than field limit"),
])  # fmt: skip
def test_what_is_no_table_is_one_message_of_what_was_found(tmp_path, text, told):
    with pytest.raises(InputError) as error:
        read_csv(write(tmp_path / "t.csv", text))
    assert told in str(error.value)


def test_a_table_of_runs_with_a_column_of_scores_is_no_evaluation(tmp_path):
    text = "id,model,gpu,method,peak_mem_gib,score\n1,llama-3.1-8b,L40S,lora,20,0.7\n"
    with pytest.raises(InputError, match="the unknown column 'score'"):
        read_csv(write(tmp_path / "t.csv", text)).check_columns(("id", "model", "gpu", "method", "peak_mem_gib"), ())


@pytest.mark.parametrize(("column", "told"), [
    ("a", "the unknown column 'a'; `roi schema"),
    ("micro_batches", "the unknown column 'micro_batches'; nearest: micro_batch;"),
    ("batch_size", "the unknown column 'batch_size'; nearest: micro_batch;"),
    ("packing", "the unknown column 'packing'; nearest: packed; `roi schema"),
    ("precision", "the unknown column 'precision'; `roi schema"),  # of serving: weight_dtype
])
def test_an_unknown_column_has_a_nearest_one_where_one_is_alike(tmp_path, column, told):
    with pytest.raises(InputError) as error:
        read_csv(write(tmp_path / "t.csv", f"id,{column}\nx,1\n")).check_columns(TrainingRow.model_fields, ())
    assert told in str(error.value)


def test_another_encoding_is_named(tmp_path):
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_csv(write(tmp_path / "t.csv", PLAIN, "utf-16"))


def test_a_missing_file_a_directory_and_a_file_beyond_the_limit_are_errors(tmp_path, monkeypatch):
    for path, told in ((tmp_path / "no.csv", "cannot be read"), (tmp_path, "a directory")):
        with pytest.raises(InputError, match=told):
            read_csv(path)
    monkeypatch.setattr(csv_table, "MOST_BYTES", 100)
    with pytest.raises(InputError, match="a table has at most 100"):
        read_csv(write(tmp_path / "t.csv", PLAIN))


def test_a_scenario_in_the_place_of_a_table_is_called_yaml(tmp_path):
    with pytest.raises(InputError, match=r"t\.yaml is YAML, no table; one is a CSV with a row a run"):
        read_csv(write(tmp_path / "t.yaml", "a: 1\nb: 2, 3\n"))
