"""Remarks on rows that no price list has."""

from pathlib import Path

from roi.answers.track_months import with_counted
from roi.usage.read.record import FileOptions
from roi.usage.summary import Question, summarize


def test_rows_of_ones_own_servers_are_said_to_count(tmp_path: Path) -> None:
    """They were told as an unknown provider, as if they were left out, where a name has a / in it.

    Rows of a model that is left out still are: 3 calls of 100 + 10 tokens.
    """
    log = tmp_path / "calls.csv"
    log.write_text("timestamp,provider,model,input_tokens,output_tokens\n" + "".join(
        f"2026-12-0{day}T10:00:00Z,self-hosted,Qwen/qwen3-8b+lora,100,10\n" for day in (1, 2, 3)))
    found = summarize(Question(files=(str(log),), options=FileOptions()))
    left_out = next(note for note in found.notes if "unknown provider" in note)
    assert left_out.startswith("Qwen/qwen3-8b+lora, 3 rows with 330 tokens: model: unknown provider 'self-hosted'")
    counted = list(with_counted(found, {"2026-12": [("own", each) for each in found.priced]}))
    assert [note for note in counted if note not in found.notes] == [
        ("Qwen/qwen3-8b+lora, 3 rows with 330 tokens: counted; the price list has no provider 'self-hosted', so what they cost"
         " is as their rows, --bill or --opencost tell it, else as forecast")]
    assert left_out not in counted
    assert list(with_counted(found, {})) == list(found.notes)
