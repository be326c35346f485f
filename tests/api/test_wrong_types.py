"""Whatever Python hands in, the answer is an answer or one RoiError that names the argument; no message holds an escape."""

from collections.abc import Callable
from datetime import date as Date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import roi
from roi.errors import RoiError

LOOP: dict[str, Any] = {}
LOOP["loop"] = LOOP
ROWS = [str(Path(__file__).parents[2] / "examples" / name) for name in ("quality_promptfoo.json", "quality_rows.jsonl")]


def measured(**given: Any) -> object:
    return roi.measure_quality(*ROWS, **({"incumbent": "gpt-6-sol"} | given))


@pytest.mark.parametrize(("ask", "said"), [
    (lambda: roi.load_scenario(b"x"), "source: bytes"),
    (lambda: roi.load_scenario(part=7), "part: int"),
    (lambda: roi.load_scenario(quality=[1]), "quality: list"),
    (lambda: roi.load_scenario(overrides="draws=0"), "overrides: str"),
    (lambda: roi.load_scenario(overrides=[None]), "overrides: NoneType"),
    (lambda: roi.load_scenario(tell=3), "tell: int"),
    (lambda: roi.load_scenario(part={"a": 1}), "part.a: 1"),
    (lambda: roi.load_scenario(part={"workload": [1]}), "part.workload"),
    (lambda: roi.load_scenario(overrides={"draws": float("inf")}), "draws: inf"),
    (lambda: roi.load_scenario(LOOP), "nested too"),
    (lambda: roi.load_scenario(draws=np.datetime64("2026-01-01")), "draws: '2026-01-01'"),
    (lambda: roi.load_scenario("x" * 5_000), "names no file"),
    (lambda: roi.load_scenario("\0"), "source: '\\\\x00' names no file"),
    (lambda: roi.resolve(None, "runs"), "runs: str"),
    (lambda: roi.resolve(None, profiles="here"), "profiles: str"),
    (lambda: roi.compare(Date(2026, 1, 1)), "asked: date is not usable; a path, a dict, a Scenario, what resolve returned"),
    (lambda: roi.compare(42), "^asked: int is not usable"),
    (lambda: roi.compare([1]), "^asked: list is not usable"),
    (lambda: roi.resolve(42), "^scenario: int is not usable; a path, a dict, a Scenario or None"),
    (lambda: roi.compare(thresholds=np.array([1])), "thresholds"),
    (lambda: roi.open_runs([1]), "profiles: int"),
    (lambda: roi.open_runs(cache="no"), "cache: str"),
    (lambda: roi.measure_usage(3), "files: int"),
    (lambda: roi.measure_usage("x.csv", incumbent=b"x"), "incumbent: bytes"),
    (lambda: roi.measure_usage("x.csv", bill_usd_per_month=float("nan")), "bill_usd_per_month: nan"),
    (lambda: roi.measure_usage("x" * 300), "File name too long"),
    (lambda: roi.measure_quality(3, incumbent="x"), "files: int"),
    (lambda: measured(bar="0.8"), "bar: str"),
    (lambda: measured(bar=2), "bar: 2"),
    (lambda: measured(incumbent=None), "incumbent"),
])
def test_another_type_is_one_error_that_names_the_argument(ask: Callable[[], object], said: str) -> None:
    with pytest.raises(RoiError, match=said):
        ask()


def test_a_comparison_is_asked_by_names() -> None:
    comparison = roi.compare(draws=0)
    for ask, said in ((comparison.option, "option: list"), (comparison.to_frame, "name: list")):
        with pytest.raises(RoiError, match=said):
            ask(["stay"])  # type: ignore[operator]  # what is tested


def test_no_message_holds_what_a_terminal_obeys() -> None:
    """A traceback of Python prints a message as it is."""
    for ask in (lambda: roi.load_scenario("a\x1b[31m.yaml"), lambda: roi.load_scenario({"incumbent": {"model": "\x9b2J"}}),
                lambda: roi.resolve({**roi.load_scenario().model_dump(mode="json", by_alias=True, exclude_unset=True),
                                     "candidates": {"self_hosted": ["\u202eevil"]}})):
        with pytest.raises(RoiError) as caught:
            ask()
        assert str(caught.value).isprintable()
