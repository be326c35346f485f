"""Remarks on rows that no price list has."""

from types import SimpleNamespace
from typing import Any

from roi.answers.track_unlisted import with_counted

NOTE = "qwen3-8b+lora, 52 rows with 20,299 tokens: model: unknown provider 'self-hosted'; nearest: baseten, moonshot"


def test_rows_of_ones_own_servers_are_said_to_count() -> None:
    """They were told as an unknown provider, as if they were left out; rows of a model that is left out still are."""
    rows: Any = {"2026-12": [("own", SimpleNamespace(spend=SimpleNamespace(model="qwen3-8b+lora")))]}
    assert list(with_counted([NOTE, "other"], rows)) == [
        ("qwen3-8b+lora, 52 rows with 20,299 tokens: counted; the price list has no provider 'self-hosted', so what they cost"
         " is as their rows, --bill or --opencost tell it, else as forecast"), "other"]
    assert list(with_counted([NOTE], {})) == [NOTE]
