"""What an invoice and a cluster show of an option in each month."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from quiet_scenario import World

from roi.economics.tracking.month_figures import GPU_HOURS, VOLUME, figures, over_months
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario


@pytest.mark.parametrize("name", ["API input", "GPU rent", "incumbent, until live and in parallel", "commitment not used"])
def test_what_an_invoice_and_a_cluster_hold_has_no_cost_of_ones_own(name: str) -> None:
    """Costs of one's own are paid besides: in `other_usd`, where they are cash."""

    def seen(*overrides: str) -> list[float]:
        w = World(resolve(load_scenario(overrides=("draws=0", *overrides))).case)
        f = figures(w.shared, w.options["stay"], w.options)
        return [float(x.sum()) for x in (f.api_usd, f.calls_usd, f.waiting_usd, f.gpu_usd, f.other_usd)]

    *held, other = seen()
    *now, with_cost = seen(f'costs=[{{name: "{name}", option: all, usd_per_month: 7}}]')
    assert now == held
    assert with_cost - other == pytest.approx(7 * 36)


def test_gpu_hours_are_over_those_of_the_forecast_in_the_months_that_have_some() -> None:
    """None for three months, then 100 of 100 and 300 of 200: 400 of 300. Months without any were 1 in the mean, so 1.1."""
    zero, hours = np.zeros(5), np.array([0.0, 0.0, 0.0, 100.0, 300.0])
    months: Any = SimpleNamespace(calls_usd=zero, waiting_usd=zero, gpu_usd=zero, gpu_hours=hours)
    seen = {name: np.array([[1.0], [1.0], [1.0], [1.0], [1.5]]) for name in (GPU_HOURS, VOLUME)}
    assert over_months(GPU_HOURS, seen, months) == pytest.approx(4 / 3)
    assert over_months(VOLUME, seen, months) == pytest.approx(1.1)
