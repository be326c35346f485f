"""What does a field of the scenario mean, what is it here, and what does it move?

    FIELD --meaning_of--> words, unit, default, bounds
    FILE --load_scenario--> its value --open_case, compare--> every option's NPV at its ends, or at half and double of it
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np

from roi.answers.opening import open_case
from roi.economics.decision.comparison import compare
from roi.economics.decision.drivers import LEAST_USD
from roi.economics.inputs import Option, path_of
from roi.errors import InputError
from roi.facts.case import PER_YEAR, SHARE, Case
from roi.facts.fact import Fact
from roi.resolution.resolution import Resolved
from roi.scenario.file import load_scenario
from roi.scenario.meaning import ITEM, WORDS, Meaning, meaning_of, stand_in
from roi.scenario.quantity import Section

AS_IT_COMES: Final = {"timing.months_to_live.api"}
"""Fields that bring something else where they are left out than where their default is stated."""
NO_MONEY: Final = {"draws", "seed"}
"""Numbers that are no facts."""
SCORES: Final = "quality.scores."
END: Final = ".ends_in_months"
NAMED: Final = ".NAME"
"""What stands in a path for a name of the user's own."""
STEP: Final = 0.1
"""Up and down from a yearly rate, which has no half; up from a share of 0, whose double is 0."""


@dataclass(frozen=True, kw_only=True)
class Moves:
    """Options' NPV against staying at two values of a field, or left out (None) and at two values, the rest central."""

    at: tuple[float | None, ...]
    ends: str
    """What the two values are, in words."""
    npv_usd: Mapping[str, tuple[float | None, ...]]
    """NPV at each of `at`, USD, by the option's label, the one moved most first; None where it is not possible."""


@dataclass(frozen=True, kw_only=True)
class FieldAnswer:
    """A field, and what it is in a scenario."""

    meaning: Meaning
    inside: tuple[Meaning, ...]
    """The fields of a block."""
    scenario: str | None
    """Title of the scenario; None where none was given."""
    value: Any = None  # Any: whatever the field holds
    stated: bool = False
    """True where the scenario states it; else the value is a default."""
    fact: Fact | None = None
    """The fact that comes from it, where it is one."""
    instead: str | None = None
    """The field whose value and fact these are, where this one is left out for it."""
    moves: Moves | None = None
    no_moves: str = ""
    """Why there are no moves."""


def explain_field(
    name: str, file: Path | None = None, overrides: tuple[str, ...] = (), also: tuple[str, ...] = (), *, cache: bool = True,
) -> FieldAnswer:
    """What the field `name` means; and with a scenario what it is there, and what it moves.

    UnknownName with the nearest fields, and names in `also`, where there is no such field. With `cache` replays of earlier runs
    are used again.
    """
    meaning = meaning_of(name, also)
    inside = tuple(meaning_of(f"{meaning.path}.{each}") for each in meaning.fields)
    if file is None:
        return FieldAnswer(meaning=meaning, inside=inside, scenario=None)
    scenario = load_scenario(file, overrides)
    title = scenario.title if "title" in scenario.model_fields_set else file.name
    value, stated = _value(scenario, meaning.path.split("."))
    if isinstance(value, Section) and not hasattr(value, "value"):  # a block, not one number with its ends
        return FieldAnswer(meaning=meaning, inside=inside, scenario=title)
    resolved = open_case(scenario, cache=cache)
    fact = _fact(meaning.path, resolved) or _known_end(meaning.path, resolved.case)
    instead = stand_in(meaning) if value is None and fact is None and NAMED not in meaning.path else None
    if instead is not None:
        held, known = _value(scenario, instead.split("."))[0], _fact(instead, resolved)
        instead, value, fact = (None, None, None) if _number(held, known) is None else (instead, held, known)
    number, moves, why = _number(value, fact), None, ""
    if number is None or meaning.path in NO_MONEY:
        why = ("NAME is any name: ask with one of yours in its place" if NAMED in meaning.path else
               "no other value of it is tried here; change it with --set and compare again")
    else:
        most = scenario.workload.longest_prompt if meaning.path == "workload.shared_prefix_tokens" else np.inf
        try:
            moves = _moves(meaning, file, overrides, fact, number, most, stated=stated, cache=cache)
        except InputError as error:
            why = str(error)
    return FieldAnswer(meaning=meaning, inside=inside, scenario=title, value=value, stated=stated, fact=fact,
                       instead=instead, moves=moves, no_moves=why)


def _fact(path: str, resolved: Resolved) -> Fact | None:
    """The fact that comes from the field, or one of several that are alike and drawn apart; None else."""
    facts = [resolved.case[place] for place in resolved.places.get(path, ())]
    alike = {(f.value, f.low, f.high, f.unit) for f in facts}
    return facts[0] if len(alike) == 1 else None


def _known_end(path: str, case: Case) -> Fact | None:
    """When the model of the field `ends_in_months` ends where the scenario does not say: as announced, else assumed."""
    if not path.endswith(END):
        return None
    name = case["options.stay.vendor"].value if path.startswith("incumbent.") else path.removeprefix("apis.").removesuffix(END)
    return case.facts.get(path_of(Option, "life_first", vendor=name))


def _value(section: object, keys: list[str]) -> tuple[Any, bool]:
    """What the scenario holds at the path, and whether it states it; (None, False) where it is silent."""
    stated = False
    while keys:
        if isinstance(section, dict):
            n = next((n for n in range(len(keys), 0, -1) if ".".join(keys[:n]) in section), 0)  # a name may hold dots
            if not n:
                return None, False
            section, keys, stated = section[".".join(keys[:n])], keys[n:], True
            continue
        if isinstance(section, tuple) and ITEM.fullmatch(keys[0]) and int(keys[0]) < len(section):
            section, keys, stated = section[int(keys[0])], keys[1:], True
            continue
        if not isinstance(section, Section) or keys[0] not in type(section).model_fields:
            return None, False
        stated = keys[0] in section.model_fields_set
        section, keys = getattr(section, keys[0]), keys[1:]
    return section, stated


def _number(value: object, fact: Fact | None) -> float | None:
    """The central value of the field, else of the fact that stands for it; None where it is no number."""
    for each in (getattr(value, "value", value), fact.value if fact is not None else None):
        if isinstance(each, (int, float)) and not isinstance(each, bool):
            return float(each)
    return None


def _moves(
    meaning: Meaning, file: Path, overrides: tuple[str, ...], fact: Fact | None, number: float, most: float, *,
    stated: bool, cache: bool,
) -> Moves:
    """Comparisons of central values at the two ends of the field, which is `most` at most; of some first as it is left out."""
    if fact is not None and fact.uncertain and fact.value == number:
        ends, said = fact.spread(), "its 5th and 95th percentile"
    else:
        ends, said = _ends(meaning, number)
    ends = (min(ends[0], most), min(ends[1], most))
    ends = (round(ends[0]), round(ends[1])) if meaning.kind == WORDS[int] else (float(ends[0]), float(ends[1]))
    if ends[0] == ends[1]:
        raise InputError(f"{number:g} has no half and no double; change it with --set and compare again")
    at = (None, *ends) if meaning.path in AS_IT_COMES and not stated else ends
    found = []
    for end in at:
        written = f"{meaning.path}={end!r}"
        asked = overrides if end is None else (*overrides, written)
        try:
            case = open_case(load_scenario(file, (*asked, "draws=0")), cache=cache).case
        except InputError as error:
            raise InputError(f"not told, for --set {written} is refused here ({error})") from error
        found.append({o.label: o.npv_usd for o in compare(case).options if o.id != "stay"})
    npv = {label: tuple(each.get(label) for each in found) for label in dict.fromkeys(chain(*found))}
    pull = {label: np.inf if None in told else np.ptp([x for x in told if x is not None]) for label, told in npv.items()}
    order = sorted((label for label in npv if pull[label] >= LEAST_USD), key=lambda label: -round(pull[label], 0))
    return Moves(at=at, ends=said, npv_usd={label: npv[label] for label in order})


def _ends(meaning: Meaning, number: float) -> tuple[tuple[float, float], str]:
    """Half and double within the field's bounds, of a score's wrong answers; ten points more or less of a rate, a surcharge."""
    low, high, said = number / 2, number * 2, "half and double"
    if meaning.path.startswith(SCORES) and meaning.most == 1.0:  # a share, and no count of items
        low, high, said = 1 - 2 * (1 - number), 1 - (1 - number) / 2, "double and half the wrong answers"
    elif meaning.unit == PER_YEAR or (meaning.unit == SHARE and number < 0.0):  # a surcharge, whose double may be refused
        low, high, said = number - STEP, number + STEP, "ten points less and more"
    elif meaning.unit == SHARE and number == 0:
        low, high, said = 0.0, STEP, "0 and ten points, since 0 has no double"
    least = meaning.least if meaning.least is not None else low
    most = meaning.most if meaning.most is not None else 1.0 if meaning.unit == SHARE else high
    return (max(low, least), min(high, most)), f"{said}, within its bounds"
