"""A Case: every fact that an answer rests on, in order. It reproduces the answer alone, without catalog, file or clock."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from roi.facts.fact import Fact, Record, Value
from roi.facts.spread import quantile

Array = NDArray[np.float64]
Values = Mapping[str, Value | Array]


class Case(Record):
    """An ordered map from path to Fact."""

    facts: dict[str, Fact]

    def __getitem__(self, path: str) -> Fact:
        return self.facts[path]

    def __contains__(self, path: str) -> bool:
        return path in self.facts

    def __iter__(self) -> Iterator[str]:  # type: ignore[override]  # pydantic iterates over fields; a map over its keys
        return iter(self.facts)

    @property
    def uncertain(self) -> tuple[str, ...]:
        """Paths of the facts that have a spread, in order: one dimension of the points each."""
        return tuple(path for path, fact in self.facts.items() if fact.uncertain)

    @property
    def options(self) -> tuple[str, ...]:
        """Ids of the options, in order."""
        return tuple(p[8:-5] for p in self.facts if p.startswith("options.") and p.endswith(".kind"))

    def values(self, points: Array | None = None) -> dict[str, Value | Array]:
        """The flat values that the engine sees.

        Without points: the central values. With points of shape (n, len(uncertain)) in (0, 1): every uncertain fact becomes
        an array of shape (n, 1), one row a draw; the others stay as they are, so that broadcasting does no needless work.
        """
        flat: dict[str, Value | Array] = {path: fact.value for path, fact in self.facts.items()}
        if points is None:
            return flat
        for k, path in enumerate(self.uncertain):
            fact = self.facts[path]
            assert fact.low is not None
            assert fact.high is not None
            assert isinstance(fact.value, (int, float))
            flat[path] = quantile(points[:, k : k + 1], fact.low, float(fact.value), fact.high, fact.unit)
        return flat
