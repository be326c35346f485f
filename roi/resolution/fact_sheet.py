"""A growing Case: facts are added once each, from the scenario's fields or from the catalog's rows."""

from collections.abc import Iterable
from datetime import date as Date
from typing import Final, get_args

from pydantic.fields import FieldInfo

from roi.evidence.known_runs import KnownRuns
from roi.facts.case import CORRELATION, FOLLOWS, Case
from roi.facts.fact import Basis, Fact, Value
from roi.resolution.plan_capacity import FleetPlan
from roi.scenario.quantity import Section, Spread, as_spread

FROM_FIELD: Final = ("scenario ", "default of ")
"""How the source of a fact begins that comes from a field of the scenario; the field's path follows."""


class FactSheet:
    """Facts in the order in which they are added: the first to name a path stays. With them, what else was found.

    `known` are the runs that stand behind the facts of training and serving. A source that begins with "scenario" or "default
    of" names the field that the fact comes from.
    """

    def __init__(self, known: KnownRuns) -> None:
        self.known = known
        self.facts: dict[str, Fact] = {}
        self.warnings: list[str] = []
        self.plans: dict[str, tuple[FleetPlan, ...]] = {}
        """The plans of each option that runs GPUs, by the option's id."""
        self.places: dict[str, list[str]] = {}
        """Paths of the facts that come from each field of the scenario."""

    def add(
        self, path: str, value: Value, unit: str = "", *, basis: Basis, source: str, date: Date | None = None,
        low: float | None = None, high: float | None = None,
    ) -> None:
        """One fact, unless the path has one."""
        if path not in self.facts:
            self._place(path, source)
            self.facts[path] = Fact(value=value, low=low, high=high, unit=unit, basis=basis, source=source, date=date)

    def state(self, path: str, value: Value, source: str = "scenario", unit: str = "") -> None:
        """A name, flag, list or exact number that the user chose, or that follows from what the user chose."""
        self.add(path, value, unit, basis=Basis.STATED, source=source)

    def tell(self, path: str, told: str) -> None:
        """A text of the Case, behind what it tells at the path already; a warning too."""
        before = self.facts.pop(path, None)
        self.state(path, told if before is None else f"{before.value}; {told}")
        self.warnings.append(told)

    def quantity(self, path: str, q: float | Spread, unit: str, *, stated: bool, source: str) -> None:
        """A quantity of the scenario: stated by the user, or a default with its reason."""
        s = as_spread(q)
        low, high = (None, None) if s.low == s.high else (s.low, s.high)
        basis = Basis(s.basis) if s.basis else Basis.STATED if stated else Basis.ASSUMED
        if path not in self.facts:
            self._place(path, source)
        self.add(path, s.value, unit, basis=basis, source=s.source or source, date=s.date, low=low, high=high)

    def field(self, path: str, section: Section, name: str, dotted: str) -> None:
        """The field `name` of a scenario block, with the unit and meaning that the schema gives it."""
        unit = _unit(type(section).model_fields[name])
        stated = name in section.model_fields_set
        why = f"scenario {dotted}.{name}" if stated else f"default of {dotted}.{name}"
        self.quantity(path, getattr(section, name), unit, stated=stated, source=why)

    def fields(self, block: str, section: Section, *names: str) -> None:
        """Fields of a scenario block under the path that they have in the scenario."""
        for name in names:
            self.field(f"{block}.{name}", section, name, block)

    def _place(self, path: str, source: str) -> None:
        """Remember which field of the scenario the fact comes from, where its source names one."""
        for begins in FROM_FIELD:
            paths = self.places.setdefault(source.removeprefix(begins), []) if source.startswith(begins) else [path]
            if path not in paths:
                paths.append(path)

    def case(self) -> Case:
        """The Case of the facts so far."""
        return Case(facts=self.facts)

    def with_ends(self, path: str, fact: Fact) -> Fact:
        """The fact that the path has, this one if none before; its ends are facts of their own, which the draws need."""
        self.facts.setdefault(path, fact)
        for end, value in (("low", fact.low), ("high", fact.high)):
            self.add(f"{path}_{end}", value, fact.unit, basis=fact.basis, source=fact.source, date=fact.date)
        return self.facts[path]

    def draw_with(self, path: str, others: Iterable[str], told: str) -> None:
        """One draw for the fact at the path and the first of `others` that is uncertain and drawn for itself, if any is.

        `told` says why they are the same.
        """
        twin = next((other for other in others if self.facts[other].uncertain and other + FOLLOWS not in self.facts), None)
        if twin is not None and self.facts[path].uncertain:
            self.state(path + FOLLOWS, twin, told)
            self.state(path + CORRELATION, 1.0, told)


def _unit(field: FieldInfo) -> str:
    """The unit that the schema gives a field; of one that may be left out it stands with the type beside None."""
    marks = [mark for kind in get_args(field.annotation) for mark in getattr(kind, "__metadata__", ())]
    extras = [mark.json_schema_extra for mark in (field, *marks) if isinstance(mark, FieldInfo)]
    return next((str(extra["unit"]) for extra in extras if isinstance(extra, dict) and "unit" in extra), "")
