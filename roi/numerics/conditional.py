"""What measurements say of a value that they are correlated with: the conditional of a multivariate t distribution."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from roi.numerics.spreads import student

Array = NDArray[np.float64]
FREEDOM: Final = 4.0
"""Degrees of freedom of a prior: values that its scale counts for, so that five more can move it as much as it holds."""


@dataclass(frozen=True)
class Conditional:
    """A value after measurements."""

    shift: float
    """From the prior's centre."""
    half: float
    """Half of its 90% interval."""
    contradicts: bool
    """True where the median measurement lies outside the prior's 90% interval. The interval may then be the wider one."""


def conditional(
    half: float, measured: Array, among: Array, own: Array | float, to_asked: Array, *, shared: float, width: float = 1.0,
) -> Conditional:
    """What `measured`, shape (n,), distances from the prior's centre, say of a value whose prior is 0 +- `half` (90%).

    In shares of the prior's variance: `among`, shape (n, n), is what the measurements have in common with each other and
    themselves, `own` what each has by itself, `to_asked`, shape (n,), what each has in common with the value, of whose variance
    `shared` can be in common with anything. All come of one Student process with FREEDOM degrees of freedom, so that with
    K = among + own and k = to_asked

        shift = k' K^-1 y,    scale^2 = s^2 (1 - k' K^-1 k) (FREEDOM + y' K^-1 y / s^2) / (FREEDOM + n)

    Measurements near the value leave little of the prior, those far from it leave it as it is; several that scatter make less
    certain than several that agree. Where they lie outside of the prior, it holds too little of what is shared: `among`,
    `to_asked` and `shared` are raised by one factor, until their median lies at the prior's end. The half width is
    multiplied by `width`, which is conformal, and is at most the prior's unless they contradict it: to have measured as well
    does not make less certain. Source: Shah, Wilson, Ghahramani, Student-t processes, AISTATS 2014, lemma 3.
    """
    n, scale = len(measured), half / student(FREEDOM)
    beyond = max((float(np.median(measured)) / half) ** 2 - 1.0, 0.0)
    raised = 1.0 + beyond / shared
    covariance, to_asked = raised * among + own * np.eye(n), raised * to_asked
    weights = np.linalg.solve(covariance, to_asked)
    surprise = float(measured @ np.linalg.solve(covariance, measured)) / scale**2
    left = max(1.0 + beyond - float(to_asked @ weights), 0.0) * (FREEDOM + surprise) / (FREEDOM + n)
    found = width * student(FREEDOM + n) * scale * float(np.sqrt(left))
    return Conditional(float(measured @ weights), found if beyond > 0.0 else min(found, half), beyond > 0.0)
