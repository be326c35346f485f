"""A comparison's pictures as objects that notebooks draw."""

import json

import pytest
from small_scenario import SMALL

import roi
from roi.api.plots import MIME
from roi.report import charts


@pytest.fixture(scope="module")
def comparison():
    return roi.compare(SMALL, draws=32)


@pytest.mark.parametrize("name", charts.__all__)
def test_each_picture_is_the_report_s_and_a_notebook_can_draw_it(comparison, name):
    chart = getattr(comparison.plot, name)()
    assert chart.spec == getattr(charts, name)(comparison)
    bundle = chart._repr_mimebundle_(include=None, exclude=None)
    assert json.loads(json.dumps(bundle[MIME], allow_nan=False)) == chart.spec
    assert f"/{MIME.partition('vegalite.')[2].partition('+')[0]}.json" in chart.spec["$schema"]
    assert bundle["text/plain"] == f"{chart!r}\n{chart.description}"
    assert len(repr(chart)) < 120


def test_what_a_picture_is_drawn_with_is_not_imported(comparison, monkeypatch):
    import sys

    for package in ("altair", "vl_convert"):
        monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    assert comparison.plot.drivers().spec["layer"]


def test_plots_say_which_there_are_and_are_made_once(comparison):
    assert repr(comparison.plot) == f"Plots({', '.join(charts.__all__)})"
    assert comparison.plot is comparison.plot
