"""What is known of the engineers whom a fleet takes."""

from typing import Final

from roi.economics.decision.comparison import Comparison
from roi.report.comparison.option_figures import gpu_count, guessed, own_path
from roi.report.layout.wording import case_number, figure

FAILS_A_MONTH: Final = 419 / 16_384 / 54 * (365 / 12)
"""Of GPUs: 419 unexpected interruptions of 16,384 H100 in 54 days (Llama 3, arXiv 2407.21783, section 3.3.4), 1.4%."""
FAILURES: Final = 0.5
"""A month, from which on a fleet takes somebody's time beyond what one server does: every second month a GPU fails."""


def hours_of_a_fleet(c: Comparison) -> list[str]:
    """That a large fleet of the leading option is run in as many hours as one server, where nobody stated how many."""
    o = c.leader
    if o.fleet is None or o.fleet.gpus_most * FAILS_A_MONTH < FAILURES or not guessed(c.case[own_path(c, o, "run_hours")]):
        return []
    gpus, hours = o.fleet.gpus_most, case_number(c.case, own_path(c, o, "run_hours"))
    return [(f"{figure(hours)} engineer hours a month run up to {gpu_count(gpus)} GPUs as they would one: assumed, and the same"
             f" for any fleet; of so many {figure(gpus * FAILS_A_MONTH)} fail a month (people.run_hours_per_month)")]
