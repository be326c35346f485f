"""What an invoice and a cluster show of an option in each month."""

import pytest
from quiet_scenario import World

from roi.economics.tracking.month_figures import figures
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
