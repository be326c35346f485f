"""A Case: every fact that an answer rests on, in order. It reproduces the answer alone, without catalog, file or clock.

A fact's spread is a triangle that holds 5% below `low` and 5% above `high`, its mode at `value`: for positive quantities in
the log, for yearly rates in log(1 + rate), for shares and signed quantities on their own scale. A share that was counted, with
`items` of them beside it, is drawn from the Beta distribution that the count leaves instead. A fact that follows another goes
with it in the draws, by a normal copula of the correlation beside it, and has its own distribution still.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from roi.facts.fact import Basis, Fact, Value
from roi.numerics.arrays import Array
from roi.numerics.beta import beta_quantile
from roi.numerics.normal import go_with

Values = Mapping[str, Value | Array]

OWN_SERVERS = "self-hosted"
"""Provider of the incumbent where that is a model which its user serves already."""
SHARE = "share"
"""Unit of a quantity that lies in 0..1; of a discount that may be a surcharge, in -1..1."""
PER_YEAR = "1/year"
"""Unit of a growth or drift rate, effective annual."""
AT_ONCE = 8
"""Facts whose draws are worked out at once: 4,096 of each are 256 KiB, which stays in the near cache."""
ITEMS = ".items"
"""Behind the path of a share that was counted: the path of the number of items."""
FOLLOWS, CORRELATION = ".follows", ".correlation"
"""Behind the path of a fact that goes with another: what names that one's path, and how closely, -1 to 1."""
BESIDE, GIVEN = ".beside", ".beside_correlation"
"""Behind the path of a fact that follows another and goes with a second one too, which follows the same: the second's path, and
how closely, -1 to 1, where the first is known."""
CAUTIONS, ABOUT = "quality.cautions.", ".about"
"""Before the number of each thing that an evaluation warns of; behind it, the path of the system that it is about."""
IN_USE = "candidates.in_use"
"""A candidate that is the model in use, which staying stands for."""
LAST = "quality.usd_per_error"
"""Drawn in the last dimension, so that stating it without a spread leaves the draws of all others as they were."""


def axis(unit: str, low: float) -> tuple[Callable[[float], float], Callable[[Array], Array], float, float]:
    """The scale on which the spread of a fact with this unit, its 5th percentile `low`, is a triangle.

    A value on the scale, the inverse for arrays, and the least and the most that a draw can be.
    """
    if unit == SHARE:
        return float, np.asarray, -1.0 if low < 0 else 0.0, 1.0
    if unit == PER_YEAR:
        return (np.log1p, np.expm1, -1.0, np.inf) if low > -1 else (float, np.asarray, -1.0, np.inf)
    return (np.log, np.exp, 0.0, np.inf) if low > 0 else (float, np.asarray, 0.0 if low == 0 else -np.inf, np.inf)


@lru_cache(maxsize=4096)
def triangle(low: float, mode: float, high: float) -> tuple[float, float]:
    """Ends (a, b) of the triangular density with this mode whose 5th and 95th percentiles are low and high.

    With q = (mode - a)/(b - a), the percentiles give (mode - low)/w = q - sqrt(0.05 q) and
    (high - mode)/w = (1-q) - sqrt(0.05 (1-q)), w = b - a. Their ratio rises with q on [0.05, 0.95], so bisection finds q.
    """
    left, right = mode - low, high - mode
    if left + right <= 0:
        return mode, mode
    lower, upper = 0.05, 0.95
    for _ in range(60):
        q = (lower + upper) / 2
        down, up = q - np.sqrt(0.05 * q), (1 - q) - np.sqrt(0.05 * (1 - q))
        if down * right < up * left:
            lower = q
        else:
            upper = q
    q = (lower + upper) / 2
    width = (left + right) / (1 - np.sqrt(0.05 * q) - np.sqrt(0.05 * (1 - q)))
    return mode - q * width, mode + (1 - q) * width


def quantile(u: Array, low: float, value: float, high: float, unit: str) -> Array:
    """The fact's value at the probabilities `u`, same shape; u = 0.05 gives low and u = 0.95 gives high."""
    forward, backward, least, most = axis(unit, low)
    mode = float(forward(value))
    a, b = triangle(float(forward(low)), mode, float(forward(high)))
    return _on_triangle(u, a, mode, b, backward, least, most)


def _on_triangle(
    u: Array, a: float | Array, mode: float | Array, b: float | Array, backward: Callable[..., Array], least: float,
    most: float, out: Array | None = None,
) -> Array:
    """Quantiles of the triangular density on [a, b], brought back from its scale, within the least and the most; in `out`."""
    width, q = b - a, (mode - a) / (b - a)
    left, right = np.minimum(u, q), np.maximum(u, q)  # one of them is q, where its side of the triangle adds exactly nothing
    left *= q
    np.sqrt(left, out=left)
    np.subtract(1.0, right, out=right)
    right *= 1.0 - q
    np.sqrt(right, out=right)
    left -= right
    left *= width
    left += mode + (1.0 - 2.0 * q) * width
    if backward is np.asarray:
        return np.clip(left, least, most, out=out)
    return backward(left, out=out)  # never beyond its bounds


def counted_quantile(u: Array, mean: float, items: float) -> Array:
    """A share's value at the probabilities `u`, same shape, where it was counted on `items` of which each was one or the other.

    The prior is half an item each way (Jeffreys): `mean` = (counted + 1/2) / (items + 1), and the share is Beta-distributed.
    """
    weight = items + 1.0
    return beta_quantile(u, mean * weight, (1.0 - mean) * weight)


def template_values(case: "Case") -> list[str]:
    """Paths of the uncertain numbers that stand as a template guessed them, in the Case's order; error rates without ends.

    What a template sets exactly (lengths, limits, the bar) has the basis too, and is not among them.
    """
    return [path for path, fact in case.facts.items()
            if fact.basis is Basis.TEMPLATE and (fact.uncertain or path.endswith(".error_rate"))]


@dataclass(frozen=True)
class Case:
    """An ordered map from path to Fact."""

    facts: dict[str, Fact]

    def model_copy(self, *, update: Mapping[str, dict[str, Fact]]) -> "Case":
        """A Case with the facts of `update` in place of this one's, by the call with which pydantic's records are copied."""
        return Case(**{"facts": self.facts, **update})

    def plain(self) -> dict[str, Any]:  # Any: plain JSON values
        """The facts as plain JSON values, by path."""
        return {path: fact.plain() for path, fact in self.facts.items()}

    @classmethod
    def of(cls, plain: Mapping[str, Mapping[str, Any]]) -> "Case":  # Any: plain JSON values
        """The Case that `plain` gave; KeyError, TypeError or ValueError for anything else."""
        return cls(facts={path: Fact.of(fact) for path, fact in plain.items()})

    def __getitem__(self, path: str) -> Fact:
        return self.facts[path]

    def __contains__(self, path: str) -> bool:
        return path in self.facts

    def __iter__(self) -> Iterator[str]:
        return iter(self.facts)

    @cached_property
    def uncertain(self) -> tuple[str, ...]:
        """Paths of the facts that have a spread, in order, `LAST` behind them: one dimension of the points each.

        By their place, so that one more fact moves the draws of those behind it. With dimensions by hashes of the names, of 16
        seeds of 4,096 draws the means of the bundled case varied 1 to 19 times as much: late dimensions lie badly in pairs.
        """
        return tuple(sorted((path for path, fact in self.facts.items() if fact.uncertain), key=LAST.__eq__))

    @cached_property
    def options(self) -> tuple[str, ...]:
        """Ids of the options, in order."""
        return tuple(p[8:-5] for p in self.facts if p.startswith("options.") and p.endswith(".kind"))

    def values(self, points: Array | None = None, room: Array | None = None) -> dict[str, Value | Array]:
        """The flat values that the engine sees.

        Without points: the central values. With points of shape (n, len(uncertain)) in (0, 1): every uncertain fact becomes
        an array of shape (n, 1), one row a draw; the others stay as they are, so that broadcasting does no needless work.
        `room`, shape (len(uncertain), n), is where they are drawn, each in the row that `rows` says.
        """
        flat: dict[str, Value | Array] = dict(self._central)
        if points is None:
            return flat
        drawn = np.empty(points.T.shape) if room is None else room
        each = np.array(points.T, order="C")  # a row a fact, which is read in one piece ever after
        numbers, row = {path: k for k, path in enumerate(self.uncertain)}, 0
        for path, base in self._following.items():
            own = each[numbers[path]]
            second = self._central.get(path + BESIDE)
            if second in self._following:
                own = go_with(points[:, numbers[second]], own, self.facts[path + GIVEN].number())  # the second's, apart
            each[numbers[path]] = go_with(each[numbers[base]], own, self.facts[path + CORRELATION].number())
        for path in self._counted:
            drawn[row] = counted_quantile(each[numbers[path]], self.facts[path].number(), self.facts[path + ITEMS].number())
            row += 1
        for scale, (paths, ends) in self._triangles.items():
            for some in range(0, len(paths), AT_ONCE):
                part = slice(some, some + AT_ONCE)
                low, mode, high = ends[:, part]
                u = each[[numbers[path] for path in paths[part]]]
                _on_triangle(u, low, mode, high, *scale, drawn[row : row + len(u)])
                row += len(u)
        flat.update({path: column[:, None] for path, column in zip(self.rows, drawn, strict=True)})
        return flat

    @cached_property
    def rows(self) -> tuple[str, ...]:
        """The paths of `uncertain` in the order in which they are drawn: shares that were counted, then scale by scale."""
        return (*self._counted, *(path for paths, _ in self._triangles.values() for path in paths))

    @cached_property
    def _counted(self) -> tuple[str, ...]:
        """Paths of the shares that were counted."""
        return tuple(path for path in self.uncertain if path + ITEMS in self.facts)

    @cached_property
    def _following(self) -> dict[str, str]:
        """Paths of the uncertain facts that go with another one, which is uncertain too and follows none, and that one's."""
        told = {path: str(self.facts[path + FOLLOWS].value) for path in self.uncertain if path + FOLLOWS in self.facts}
        return {path: base for path, base in told.items() if base in self.uncertain and base not in told}

    @cached_property
    def _central(self) -> dict[str, Value]:
        return {path: fact.value for path, fact in self.facts.items()}

    @cached_property
    def _triangles(self) -> dict[tuple[Any, float, float], tuple[list[str], Array]]:
        """For each scale (Any: its inverse), paths of the uncertain facts on it; low ends, modes, high ends: (3, facts, 1)."""
        found: dict[tuple[Any, float, float], tuple[list[str], list[tuple[float, float, float]]]] = {}
        for path in self.uncertain:
            if path + ITEMS in self.facts:
                continue
            fact = self.facts[path]
            low, high = fact.spread()
            forward, backward, least, most = axis(fact.unit, low)
            mode = float(forward(fact.number()))
            a, b = triangle(float(forward(low)), mode, float(forward(high)))
            paths, ends = found.setdefault((backward, least, most), ([], []))
            paths.append(path)
            ends.append((a, mode, b))
        return {scale: (paths, np.array(ends).T[..., None]) for scale, (paths, ends) in found.items()}
