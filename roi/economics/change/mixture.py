"""Two Cases, what differs between them, and the Case in which some of that has moved from A to B."""

from collections.abc import Iterable, Mapping

from roi.economics.change.causes import GROUPS, PLAN, ROOMS, Facts, causes_of, owner_of, owners
from roi.facts.case import Case
from roi.facts.fact import Fact

IDENTITY = ("gpu", "weight_dtype", "rental", "gpus_per_instance", "gpus_per_replica")
"""Fields of a plan that say which one it is, whoever offers it."""


class Mixture:
    """What differs between two Cases as causes 0..m-1, and the Case for each set of them that has moved."""

    def __init__(self, a: Case, b: Case, ids: Iterable[str] | None = None) -> None:
        """Compares the options `ids` alone, with staying and what they hand requests on to; all options where None."""
        wanted = None if ids is None else _reached((a, b), ids)
        self.a, self.b = (_plans_named(_of_options(case, wanted)) for case in (a, b))
        self.causes = causes_of(self.a, self.b)
        self._moved_by = {path: k for k, cause in enumerate(self.causes) for path in cause.paths}

    @property
    def groups(self) -> dict[str, tuple[int, ...]]:
        """The numbers of the causes by group, in the stated order; groups without a cause are left out."""
        found = {group: tuple(k for k, cause in enumerate(self.causes) if cause.group == group) for group in GROUPS}
        return {group: held for group, held in found.items() if held}

    def case(self, moved: frozenset[int], needed: Iterable[str] = ()) -> Case:
        """The Case with these causes moved to B. `needed` are paths that it has even where only the other Case has them."""
        needed = set(needed)
        facts: dict[str, Fact] = {}
        for path in sorted({*self.a, *self.b}):
            cause = self._moved_by.get(path)
            first, second = (self.b, self.a) if cause in moved else (self.a, self.b)
            fact = first.get(path)
            if fact is None and (cause is None or path in needed):
                fact = second[path]
            if fact is not None:
                facts[path] = fact
        return Case(facts=_plans_numbered(facts))


def _reached(cases: Iterable[Case], ids: Iterable[str]) -> frozenset[str]:
    """The options, staying, and those that one of them hands requests to."""
    found = {"stay", *ids}
    for case in cases:
        handed = (case.facts.get(f"options.{id}.{name}") for id in sorted(found) for name in ("spills_to", "long_to"))
        found |= {str(fact.value) for fact in handed if fact is not None and fact.value is not None}
    return frozenset(found)


def _of_options(case: Case, wanted: frozenset[str] | None) -> Facts:
    """The facts without those of other options, and of what only other options name."""
    if wanted is None:
        return case.facts
    others = frozenset(f"options.{id}" for id in case.options if id not in wanted)
    rest = {path: fact for path, fact in case.facts.items() if owner_of(path, others) is None}
    named = owners(rest)
    return {path: fact for path, fact in rest.items() if not path.startswith(ROOMS) or owner_of(path, named) is not None}


def _plans_named(facts: Facts) -> dict[str, Fact]:
    """The facts with the number of each plan replaced by what the plan is, so that the same plans meet in A and B."""
    plans: dict[tuple[str, str], dict[str, Fact]] = {}
    found = {}
    for path, fact in facts.items():
        if place := PLAN.fullmatch(path):
            plans.setdefault((f"options.{place['option']}.plans", place["plan"]), {})[place["field"]] = fact
        else:
            found[path] = fact
    taken: dict[str, int] = {}
    for (option, _), fields in plans.items():
        name = ",".join(str(fields[each].value).replace(".", "_") for each in IDENTITY if each in fields)
        count = taken[f"{option}.{name}"] = taken.get(f"{option}.{name}", 0) + 1
        name = name if count == 1 else f"{name},{count}"
        found |= {f"{option}.{name}.{field}": fact for field, fact in fields.items()}
    return found


def _plans_numbered(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    """Facts with the plans of each option numbered again, in place of the names that `_plans_named` gave them."""
    numbers: dict[str, dict[str, int]] = {}
    found = {}
    for path, fact in facts.items():
        place = PLAN.fullmatch(path)
        if place is None:
            found[path] = fact
        else:
            known = numbers.setdefault(place["option"], {})
            number = known.setdefault(place["plan"], len(known))
            found[f"options.{place['option']}.plans.{number}.{place['field']}"] = fact
    return found
