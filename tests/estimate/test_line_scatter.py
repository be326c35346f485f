"""What loads of a server leave open of its speed on another one: by hand, and of the command's own design."""

import pytest
from step_simulator import Truth, simulate

from roi.estimate.serving.line_scatter import COEFFICIENTS, LEVERAGE, LINE, LOADS, load_half, load_test_leaves
from roi.estimate.serving.step_fit import fit_profile
from roi.profiling.server.load_design import plan_loads


def test_few_loads_have_the_scatter_of_other_servers_and_the_factor_of_student():
    """None left of the fit: 2.920 (Student's at 2 degrees, which the expansion has 6% low) x 0.065 x sqrt(1 + 1) = 0.268.

    Four that scatter by 0.2, at leverage 0: (4 + 2) x 0.2^2 / 6, and 1.943 x 0.2 = 0.389."""
    assert load_half(0.0, 0, 0.0, 1.0) == pytest.approx(0.268, rel=0.06)
    assert load_half(4 * 0.04, 4, 0.2, 0.0) == pytest.approx(0.389, rel=0.01)


def test_load_tests_leave_more_than_a_load_scatters_by_and_many_of_them_no_less():
    """One: 7 - 5 = 2 loads and the 2 that LINE counts for; 2.132 of Student's at 4 degrees over 1.645 of the normal
    distribution, and sqrt(1 + 0.5): 1.587 x 0.065 = 0.103."""
    assert load_test_leaves(1) == pytest.approx(0.103, rel=0.01)
    left = [load_test_leaves(tests) for tests in (1, 2, 4, 1000)]
    assert left == sorted(left, reverse=True)
    assert LINE < left[-1] == pytest.approx(LINE, rel=1e-3)


@pytest.mark.full
@pytest.mark.parametrize("step_s", [4e-3, 30e-3])
def test_a_load_test_has_the_loads_the_coefficients_and_the_leverage_that_are_said_of_it(step_s):
    """Of the command's defaults, which the simulated server is loaded with."""
    plan = plan_loads((1, 8, 32), (128, 1024), (64, 192), None, 0, arrivals="both", rate=None, trace=None, adapters=0)
    fit = fit_profile(simulate(Truth(a=step_s)))
    assert len(plan.points) == LOADS == fit.points + 1
    assert len(fit.coefficients) == COEFFICIENTS
    assert fit.measured.leverage(fit.iteration) == pytest.approx(LEVERAGE, abs=0.1)
