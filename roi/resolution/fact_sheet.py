"""A growing Case: facts are added once each, from the scenario's fields or from the catalog's rows."""

from datetime import date as Date
from typing import Any

from roi.estimate.replay.load_curve import PlanCapacity
from roi.facts.case import Case
from roi.facts.fact import Basis, Fact, Value
from roi.scenario.quantity import Section, Spread, as_spread

FLAT = {"": ""}


class FactSheet:
    """Facts in the order in which they are added; a path is never written twice with different facts."""

    def __init__(self, as_of: Date) -> None:
        self.as_of = as_of
        self.facts: dict[str, Fact] = {}
        self.warnings: list[str] = []
        self.replayed: dict[tuple[object, ...], PlanCapacity] = {}
        """Capacities found so far, so that options and vendors that share a plan replay it once."""

    def add(
        self,
        path: str,
        value: Value,
        unit: str = "",
        *,
        basis: Basis,
        source: str,
        date: Date | None = None,
        low: float | None = None,
        high: float | None = None,
    ) -> None:
        """One fact; the first to name a path wins."""
        if path not in self.facts:
            self.facts[path] = Fact(value=value, low=low, high=high, unit=unit, basis=basis, source=source, date=date)

    def name(self, path: str, value: Value, source: str = "scenario") -> None:
        """A name, flag or list that the user chose."""
        self.add(path, value, basis=Basis.STATED, source=source)

    def quantity(self, path: str, q: float | Spread, unit: str, *, stated: bool, source: str) -> None:
        """A quantity of the scenario: stated by the user, or a default with its reason."""
        s = as_spread(q)
        basis = Basis.STATED if stated else Basis.ASSUMED
        same = s.low == s.high
        self.add(
            path,
            s.value,
            unit,
            basis=basis,
            source=s.source or source,
            date=s.date,
            low=None if same else s.low,
            high=None if same else s.high,
        )

    def field(self, path: str, section: Section, name: str, dotted: str) -> None:
        """The field `name` of a scenario block, with the unit and meaning that the schema gives it."""
        info = type(section).model_fields[name]
        extra: Any = info.json_schema_extra  # pydantic types this as a dict or a callable; ours is a dict or None
        unit = extra.get("unit", "") if isinstance(extra, dict) else ""
        stated = name in section.model_fields_set
        why = f"scenario {dotted}.{name}" if stated else f"default of {dotted}.{name}"
        self.quantity(path, getattr(section, name), unit, stated=stated, source=why)

    def case(self) -> Case:
        """The finished Case."""
        return Case(facts=self.facts)
