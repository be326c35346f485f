"""Gemini's answers: thoughts beside the answer or inside it, cached and tool tokens, streams, batches, Vertex's own table."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from usage_support import CANARY, DATA, records, run_usage, totals, usage_answer

from roi.usage.formats.vendors.gemini_calls import GEMINI_CALLS

FORMATS = (GEMINI_CALLS,)
LOG = DATA / "gemini_answers.jsonl"


def test_thoughts_count_once_whether_the_candidates_hold_them_or_not(tmp_path: Path) -> None:
    """1,876 + 15 + 255 = 2,146 has them beside: 270. 10 + 300 = 310 has its 240 inside. Of a stream the last part counts."""
    rows = records(tmp_path, LOG, formats=FORMATS)
    assert [row["output"] for row in rows] == [270, 250, 300, 23, 20, 10, 0]
    assert [row["reasoning"] for row in rows] == [255, 50, 240, 5, 0, 6, 0]


def test_cached_tokens_are_inside_the_prompt_and_what_tools_gave_back_beside_it(tmp_path: Path) -> None:
    """1,876 + (4,000 + 77 - 3,000) + 10 + 8 + 100 + 30 + 9 = 3,110; a prompt that was refused is paid."""
    assert totals(records(tmp_path, LOG, formats=FORMATS)) == {
        "uncached_input": 3110, "cache_read": 3000, "cache_write": 0, "output": 873, "requests": 7}


def test_models_times_batches_and_tiers(tmp_path: Path) -> None:
    rows = records(tmp_path, LOG, formats=FORMATS)
    flash = "gemini-2.5-flash"
    assert [row["model"] for row in rows] == ["gemini-2.5-pro", "gemini-3-flash-preview", *[flash] * 5]
    assert [row["batch"] for row in rows] == [False] * 4 + [True] + [False] * 2
    assert [row["tier"] for row in rows] == [None, "priority", *[None] * 5]
    start = 1_790_812_800_000_000
    assert [row["at_us"] - start for row in rows] == [
        1_250_000, 2_000_000, 3_000_000, 4_000_000, 65_596_826_000, 72_000_123_456, 75_600_000_000]
    assert {row["provider"] for row in rows} == {"google"}
    assert CANARY not in str(rows)


@pytest.mark.parametrize("wrap", [
    lambda answer: {"timestamp": answer.pop("createTime"), "model": answer.pop("modelVersion"), "response": answer},
    lambda answer: {"data": [answer]},
    lambda answer: [answer],
])
def test_an_answer_may_lie_in_a_page_a_list_or_a_log_of_ones_own(wrap: Callable[[Any], Any], tmp_path: Path) -> None:
    """1,876 at 1.25 and 270 at 10.00 a million."""
    file = tmp_path / "answer.json"
    file.write_text(json.dumps(wrap(json.loads(LOG.read_text().splitlines()[0]))))
    assert usage_answer(file)["list_usd"] == pytest.approx((1876 * 1.25 + 270 * 10) / 1e6)


def test_an_answer_of_the_api_without_a_time_says_what_lacks(tmp_path: Path) -> None:
    answer = json.loads(LOG.read_text().splitlines()[0])
    del answer["createTime"]
    file = tmp_path / "answer.json"
    file.write_text(json.dumps(answer))
    assert "no time that can be read" in run_usage(file).stderr


@pytest.mark.full
def test_the_hours_of_a_stored_cache_are_said_to_be_in_no_count(tmp_path: Path) -> None:
    """The second of the answers read 3,000 tokens; the first read none."""
    said = [any("google bills the hours" in note for note in usage_answer(line)["notes"]) for line in (
        _line(tmp_path, 0), _line(tmp_path, 1))]
    assert said == [False, True]


def _line(folder: Path, number: int) -> Path:
    file = folder / f"{number}.json"
    file.write_text(LOG.read_text().splitlines()[number])
    return file
