"""The comparison as a pandas table."""

import sys

import pytest

from roi.api.frame import to_frame
from roi.economics.decision.comparison import compare
from roi.errors import MissingExtra
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario


@pytest.fixture(scope="module")
def comparison():
    return compare(resolve(load_scenario(overrides=("draws=0",))).case)


def test_a_frame_has_one_row_a_feasible_option_and_the_same_figures(comparison):
    frame = to_frame(comparison)

    assert list(frame.index) == [o.id for o in comparison.options]
    assert list(frame["npv_usd"]) == [o.npv_usd for o in comparison.options]


def test_without_pandas_the_extra_is_named(comparison, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)  # as if it were not installed

    with pytest.raises(MissingExtra, match=r"this needs pandas: pip install 'lora-roi\[frames\]'"):
        to_frame(comparison)
