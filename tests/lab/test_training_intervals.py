"""WIDTH and RECORDS of training speed are what the committed tables ask for with a source, a card or a model left out."""

import json
import math

import numpy as np
import pytest
from canonical import CELLS
from fit_training_calibration import FITS, calibration
from fit_training_intervals import WAYS, Distance, distances, needed_factor

from roi.answers.validate import open_training_table
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.estimate.accuracy.measured_run import timed_run
from roi.estimate.accuracy.profile_left_in import profile_left_in
from roi.estimate.step.calibration import RECORDS, WIDTH


def away(card, *half_widths):
    return [Distance("layout", card, each) for each in half_widths]


def test_a_card_that_is_left_out_weighs_as_much_as_one_with_fifty_times_its_rows():
    """Two rows of four cards lie at 0.1, a hundred of a fifth, or its two, at 0.9: a fifth of the cards, beyond the 90th
    percentile either way; nine further cards at 0.1 besides, and it is one of fourteen, 7%, though 79% of the rows."""
    few = [row for k in range(4) for row in away(f"card {k}", 0.1, 0.1)]
    more = [row for k in range(9) for row in away(f"other {k}", 0.1, 0.1)]
    for rows in (2, 100):
        fifth = away("fifth", *[0.9] * rows)
        assert (needed_factor([*few, *fifth]), needed_factor([*few, *fifth, *more])) == (0.9, 0.1)


@pytest.mark.full
def test_the_width_is_the_largest_that_a_way_of_leaving_out_needs_and_records_say_how_it_holds():
    runs = [run for n in (1, 2) for run in open_training_table(CELLS.parent / "tables" / f"training-{n}.csv").runs]
    known = training_efficiencies().step()
    timed = [one for run in runs if (one := timed_run(run, known)) is not None]
    found = [distances(timed, way) for way in WAYS.values()]
    assert math.ceil(100.0 * max(map(needed_factor, found))) / 100.0 == pytest.approx(WIDTH)
    held = {level: [row.half_widths <= WIDTH for rows in found for row in rows if row.level == level]
            for level in ("gpu", "layout", "all")}
    held["profile"] = [row.away <= row.half for row in profile_left_in(timed, known)]
    for level, inside in held.items():
        assert (len(inside), round(100.0 * float(np.mean(inside)))) == RECORDS[level]


@pytest.mark.full
def test_the_scales_that_come_with_roi_are_those_of_the_committed_tables():
    assert json.loads(calibration())["groups"] == json.loads(FITS.read_text(encoding="utf-8"))["groups"]
