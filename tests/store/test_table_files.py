"""CSV files of measured runs as other programs write them: separators, heads, byte order marks, line ends, decimal commas."""

import pytest
from click.testing import CliRunner

from roi.cli import main
from roi.errors import InputError
from roi.store.tables.serving_table import read_serving_rows

HEADS = "id,model,gpu,n_gpus,tp,precision,engine,engine_version,scenario,isl,osl,concurrency,output_tok_per_s,notes"
ROWS = ("own-1,Llama-3.1-8B,H100,1,1,bf16,vllm,0.9.1,closed loop,1024,256,16,1000.5,",
        "own-2,Llama-3.1-8B,H100,1,1,bf16,vllm,0.9.1,closed loop,1024,256,32,1700,first")


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def rates(path):
    return [(each.id, each.output_tokens_per_s) for each in read_serving_rows(path).runs]


PLAIN = "\n".join((HEADS, *ROWS))


@pytest.mark.parametrize("text", [
    PLAIN, PLAIN.replace("\n", "\r\n"), PLAIN + "\n\n\n,,,,,,,,,,,,,\n\n", PLAIN.replace(",", ";"), PLAIN.replace(",", "\t"),
    PLAIN.replace(",", "|"), "sep=;\n" + PLAIN.replace(",", ";"), "\ufeff" + PLAIN, "\ufeffsep=,\r\n" + PLAIN,
    PLAIN.replace(HEADS, HEADS.upper()), PLAIN.replace(HEADS, HEADS.replace(",", " , ")),
    PLAIN.replace(HEADS, HEADS.replace("engine_version", "Engine Version").replace("n_gpus", "N-GPUs")),
])  # fmt: skip
def test_a_table_is_read_however_a_program_writes_it(tmp_path, text):
    assert rates(write(tmp_path / "t.csv", text)) == [("own-1", 1000.5), ("own-2", 1700.0)]


def test_commas_inside_quotes_are_no_separators(tmp_path):
    text = PLAIN.replace(",1024,", ',"1,024",').replace(",first", ',"a, b; c"')
    assert [each.load.input_tokens for each in read_serving_rows(write(tmp_path / "t.csv", text)).runs] == [1024.0, 1024.0]


@pytest.mark.parametrize("value", ["1000,5", "1,024"])
def test_a_comma_in_a_number_beside_semicolons_is_an_error_that_says_what_is_expected(tmp_path, value):
    path = write(tmp_path / "t.csv", PLAIN.replace(",", ";").replace("1000.5", value))
    done = CliRunner().invoke(main, ["validate", str(path)])
    assert (done.exit_code, done.stdout) == (2, "")
    told = f"separated by semicolons and has commas in numbers (cells: 1; row 'own-1', output_tok_per_s: '{value}')"
    assert told in done.stderr
    assert "Save it with decimal points" in done.stderr


def test_a_decimal_comma_in_quotes_skips_its_row(tmp_path):
    path = write(tmp_path / "t.csv", PLAIN.replace("1000.5", '"1000,5"'))
    assert rates(path) == [("own-2", 1700.0)]
    assert read_serving_rows(path).skipped == (("own-1", "output_tok_per_s: '1000,5'; a decimal comma; write a point"),)


@pytest.mark.parametrize(("text", "told"), [
    ("hello world\nx", "has no column 'model' (and gpu, engine, isl, osl); its columns: hello_world"),
    (PLAIN.replace("isl,", "input_tokens,"), "has no column 'isl'"),
    (PLAIN.replace("notes", "ISL"), "the column 'isl' twice"),
    (PLAIN.replace(",1024,", ",1,024,"), "row 'own-1': 15 cells under 14 columns, separated by commas; a cell that"),
])  # fmt: skip
def test_what_is_no_such_table_is_one_message_of_what_was_found(tmp_path, text, told):
    with pytest.raises(InputError) as error:
        read_serving_rows(write(tmp_path / "t.csv", text))
    assert told in str(error.value)


def test_another_encoding_is_named(tmp_path):
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_serving_rows(write(tmp_path / "t.csv", PLAIN, "utf-16"))
