"""How far a load of a server lies from the line that is fitted to its others: what a load test leaves open of speed."""

from typing import Final

import numpy as np

from roi.numerics.spreads import TAIL, student

LINE: Final = 0.065
"""Standard deviation of a server's loads around the line that is fitted to them, in log seconds, until enough of its own say
otherwise: the median of published servers, of whose engines the medians are 0.057 to 0.125 (lab/serving_lines.py)."""
COUNTS_FOR: Final = 2.0
"""Values that LINE counts for: servers differ so much that theirs are likeliest with 1.2 (a scaled F distribution of their
variances, Smyth 2004), and the expansion of Student's factor begins at 2, 6% low there."""
LOADS: Final = 7
"""Loads of one load test as `roi profile serve` designs it: three numbers in flight at two prompts, and an open loop."""
COEFFICIENTS: Final = 5
"""Coefficients that it tells: the step's four, and the seconds of a request outside the steps."""
LEVERAGE: Final = 0.5
"""`MeasuredRange.leverage` of that design over the lengths that it measures."""


def load_half(squares: float, values: int, scatter: float, leverage: float) -> float:
    """Half of the 90% interval of log speed on a load of this `leverage`, from squares of so many distances from the line.

    Few know their `scatter` badly: it, or LINE where that is more, counts for COUNTS_FOR values besides, and the factor is
    Student's. Of 17,608 loads in the range of 4 to 8 that stood for a profile 90 to 93% lie inside (lab/serving_lines.py).
    """
    freedom = values + COUNTS_FOR
    variance = (squares + COUNTS_FOR * max(LINE, scatter) ** 2) / freedom
    return float(student(freedom) * np.sqrt(variance * (1.0 + leverage)))


def load_test_leaves(tests: int) -> float:
    """Standard deviation of log speed that so many load tests of one server leave on another load in their range.

    That of the normal distribution whose 90% interval is `load_half` where the server scatters as LINE, as it is drawn once the
    profile is kept: 0.102 after one test, 0.079 after two. What repeats of one load scatter by, 0.039 (MLPerf, Llama-2-70B on 8
    H100, Server, 20 submissions), is no measure of it: more tests, of other loads in the range, bring it no lower than LINE.
    """
    values = tests * LOADS - COEFFICIENTS
    return load_half(values * LINE**2, values, LINE, LEVERAGE / tests) / TAIL
