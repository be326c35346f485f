"""The comparison as a pandas table."""

from roi.api.frame import to_frame
from roi.economics.decision.comparison import compare
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario


def test_a_frame_has_one_row_a_feasible_option_and_the_same_figures():
    comparison = compare(resolve(load_scenario(overrides=("draws=0",))).case)

    frame = to_frame(comparison)

    assert list(frame.index) == [o.id for o in comparison.options]
    assert list(frame["npv_usd"]) == [o.npv_usd for o in comparison.options]
