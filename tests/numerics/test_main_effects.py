"""Outcomes without the main effects of other facts, by hand."""

import numpy as np
import pytest

from roi.numerics.main_effects import FactColumns, MainEffects, ranks
from roi.numerics.sequence import sobol
from roi.numerics.value_of_information import gain_of_knowing


def test_ranks_count_what_comes_before_and_leave_equals_in_their_order() -> None:
    assert ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [2, 0, 3, 1]


def test_main_effects_of_others_are_taken_out_and_leave_what_is_known_and_the_mean_alone() -> None:
    """3 x + y^2 + 10 z + x z: given x, y^2 goes but for its mean, and 10 z. x - y is made of two facts, which stay."""
    x, y, z = (column - 0.5 for column in sobol(0, 4096, 3, 1).T)
    effects = MainEffects({"a": 3.0 * x + y**2 + 10.0 * z + x * z}, FactColumns([x, y, z]))
    (settled,) = effects.settled(["a"], x)
    assert settled == pytest.approx(3.0 * x + float((y**2).mean()) + x * z, abs=0.02)
    assert settled.mean() == pytest.approx(float((y**2).mean()), abs=1e-3)
    (both,) = effects.settled(["a"], x - y)
    assert np.corrcoef(both, x)[0, 1] > 0.99


def test_facts_that_are_equal_or_the_same_in_all_draws_share_their_effect() -> None:
    x, z = (column - 0.5 for column in sobol(0, 4096, 2, 1).T)
    effects = MainEffects({"a": x + 10.0 * z}, FactColumns([x, z, z, np.ones(4096)]))
    assert effects.settled(["a"], x)[0] == pytest.approx(x, abs=0.02)


def test_few_draws_tell_no_main_effects() -> None:
    """Of 100 draws the 100 columns of 50 facts would explain all that an option saves, noise as well."""
    points = sobol(0, 100, 50, 1)
    effects = MainEffects({"a": points.sum(axis=1)}, FactColumns(list(points.T)))
    assert effects.settled(["a"], points[:, 0]).tolist() == effects.table(["a"]).tolist()


def test_main_effects_are_not_fitted_for_what_is_worth_nothing_anyway() -> None:
    x, y = sobol(0, 4096, 2, 1).T
    effects = MainEffects({"stay": np.zeros(4096), "a": 10.0 + y}, FactColumns([x, y]))
    assert gain_of_knowing(effects, x, ["stay", "a"]) == 0.0
    assert "_fitted" not in vars(effects)
