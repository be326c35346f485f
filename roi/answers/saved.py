"""A saved comparison read back: its Case gives the same figures again, whatever the catalog says by now."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from math import inf, isfinite
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

import numpy as np

from roi.answers.saved_digests import edited_parts
from roi.disk import open_to_read, parse_json
from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.turning.signposts import Signpost
from roi.economics.decision.verdict import Verdict
from roi.errors import UNSEEN, CaseError, InputError, allowed, visible
from roi.facts.case import PER_YEAR, SHARE, Case
from roi.facts.fact import Fact

SCHEMA: Final = "roi.comparison/3"
"""The version of a saved comparison's form."""
SIZE_LIMIT = 64 * 2**20
"""Bytes; 100 options over 120 months take about 8 MiB."""
BOUNDS = {"horizon_months": (1, 120), "draws": (0, 1_048_576), "seed": (0, 2**63)}
"""Whole numbers that size the arrays, as the scenario bounds them."""
MOST = 1e15
"""The largest number of a fact."""
RANGES = {SHARE: (0.0, 1.0), PER_YEAR: (-1.0, MOST)}
"""The least and the most of a number with this unit; of all others with a unit none is below 0, but for a credit."""
SURCHARGED = (".discount", (-1.0, 1.0))
"""The end of the path of a share that may be below 0, a surcharge, and the least and the most of it."""
CREDIT = re.compile(r"costs\.\d+\.(upfront_usd|usd_per_month)")
"""A cost of the user's own, which may be below 0."""
CURRENCY = re.compile(r"(?!USD|GPU)[A-Z]{3}(?![A-Za-z-])")
"""The unit of an amount in another currency."""
DRAWN = ("expected_npv_usd", "expected_cash_npv_usd", "probability_npv_positive", "probability_cash_positive")
"""Figures of an option over the draws."""
TOLD = ("npv_usd", "npv_without_errors_usd", "upfront_usd", "cash_monthly_usd", "payback_months", "payback_cash_months", *DRAWN)
"""Figures of an option that are read from the file; with other draws these alone are held against the recomputed ones."""
THRESHOLDS: Final = ("break_even", "break_even_requests_per_day", "signposts")
ANSWERED: Final = (*THRESHOLDS, "second_move", "probability_best_by_kind", "experiments", "drivers", "reconciled_npv_usd",
                   "alarms", "gates")
DECIDED: Final = tuple(each.name for each in fields(Verdict) if each.name not in {"recommended", "sentence"})
"""Parts of the answer, and of its verdict, whose figures and names are held against the recomputed ones, beside options."""
FIGURE, UNSTATED = len(("options", "stay", "npv_usd")), "not stated"
"""Length of the place of an option's own figure, and what stands for one that others of its file have and it does not."""
NAMED: Final = {"kind", "status", "gpu", "vendor", "weight_dtype", *DECIDED, "option"}
"""Names of which an answer's text is no wording."""
CENT, SMALL, SAME = 0.01, 1e-6, 1e-9
"""USD, shares and USD a wrong answer of a verdict, and share of an amount, below which two figures are the same."""
GPUS = (".gpus", ".gpus_per_instance", ".gpus_per_replica", ".gpus_per_server")
"""Ends of paths of which 0 means nothing."""
PLAN = re.compile(r"options\..+\.plans\.\d+(?=\.)")
"""The beginning of the paths of a plan's facts."""
PAID = ("usd_per_gpu_hour", "rent", "price")
"""Facts of which a plan has one: what its cards cost to rent or to buy. A plan without would be free."""
HINT = "; save it again with `roi compare SCENARIO --format json`"

Json = dict[str, Any]  # Any: plain JSON values
Held = float | str | None


class Advice(NamedTuple):
    """What an answer says to do."""

    recommended: str | None
    """Id of the option; None where the verdict is withheld, or not told."""
    steps: tuple[str, ...] = ()
    """Ids of what is done, in order."""

    @classmethod
    def of(cls, verdict: Verdict) -> "Advice":
        """The advice of a comparison's verdict."""
        return cls(verdict.recommended, verdict.steps)

    def same_as(self, other: "Advice") -> bool:
        """True where one option or the same steps are recommended: GPUs that save once an API is in use may lead or follow."""
        return self.recommended == other.recommended or (bool(self.steps) and self.steps == other.steps)


@dataclass(frozen=True)
class Saved:
    """What a saved comparison holds besides its figures."""

    path: Path
    case: Case
    scenario: Json | None
    warnings: tuple[str, ...]
    roi_version: str
    advice: Advice
    """What the file recommends to do."""
    answer: dict[tuple[str, ...], Held]
    """Every figure of the file's answer, by its place, None where it says null; True and False are 1 and 0."""
    signposts: tuple[Signpost, ...] = ()
    """Thresholds at which the choice turned when the file was saved."""
    edited: str = ""
    """What is not that of which the file has the digest, in words: facts that were changed or taken out, scenario, answer."""
    sealed: bool = False
    """True where the file has a digest of its answer."""
    signed: bool = True
    """True where the file has a digest of its facts."""

    @property
    def figures(self) -> dict[tuple[str, str], float]:
        """What the file says of each option, by id and name of the figure, USD."""
        return {(key[1], key[2]): x for key, x in self.answer.items()
                if key[0] == "options" and len(key) == FIGURE and key[2] in TOLD and isinstance(x, float)}


def read_saved(path: Path) -> Saved | None:
    """The saved comparison in `path`; None where the file is something else. CaseError where it is damaged."""
    text = _text(path)
    if text is None:
        return None
    try:
        data = parse_json(text)
    except (ValueError, RecursionError) as error:
        if path.suffix.lower() != ".json" and '"roi.comparison/' not in text:
            return None  # YAML may begin with a brace
        _refuse(path, f"not valid JSON: {str(error)[:100]}{HINT}")
    if "schema" not in data and "case" not in data:
        return None
    schema = data.get("schema")
    if schema != SCHEMA:
        if "case" not in data and not str(schema).startswith("roi.comparison"):
            return None
        _refuse(path, f"schema: {str(schema)[:60]!r} cannot be replayed; it should be {SCHEMA}")
    scenario, warnings = data.get("scenario"), data.get("warnings")
    _check_plain(path, "scenario", scenario)
    case = _case(path, data.get("case"))
    return Saved(path=path, case=case, scenario=scenario if isinstance(scenario, dict) else None,
                 warnings=tuple(visible(str(w)) for w in warnings) if isinstance(warnings, list) else (),
                 roi_version=visible(str(data.get("roi_version"))[:40]), advice=_advice(data, case),
                 answer=dict(_figures_in(_answered(data))), signposts=_signposts(path, data.get("signposts")),
                 edited=visible(edited_parts(data)), sealed=isinstance(data.get("digests"), dict),
                 signed=data.get("digest") is not None)


def replay(saved: Saved, *, draws: int | None = None, seed: int | None = None, thresholds: bool = True) -> Comparison:
    """The comparison of the saved Case, with another number of draws or another seed where given."""
    changed = {name: value for name, value in (("draws", draws), ("seed", seed)) if value is not None}
    for name, value in changed.items():
        least, most = BOUNDS[name]
        if type(value) is not int or not least <= value <= most:
            raise InputError(f"{name}: {value!r} is not usable; a whole number from {least} to {most:,}")
    facts = {**saved.case.facts, **{k: saved.case[k].model_copy(update={"value": v}) for k, v in changed.items()}}
    try:
        with np.errstate(divide="raise", over="raise", invalid="raise"):  # what no scenario gives: its facts are within bounds
            found = compare(Case(facts=facts), thresholds=thresholds)
            if found.thresholds is not None:  # here, where what does not compute is told of the file
                _ = found.break_even, found.signposts, found.signposts_once_in_use
    except KeyError as error:
        _refuse(saved.path, f"case: no {str(error.args[0])[:200] if error.args else 'path'}{HINT}")
    except (TypeError, ValueError, ArithmeticError, IndexError, AssertionError, StopIteration, MemoryError) as error:
        _refuse(saved.path, f"case: it does not compute: {str(error)[:200] or type(error).__name__}{HINT}")
    if not all(isfinite(x) for o in found.options for x in (o.npv_usd, o.expected_npv_usd)):
        _refuse(saved.path, f"case: it does not compute: a fact that it needs is null{HINT}")
    return found


def differences(saved: Saved, found: Comparison, *, same_draws: bool = True) -> str:
    """One sentence where the file's own figures, or its choice, are not what its facts give, or its facts were edited; or "".

    One too where nobody can tell, for want of a digest. Figures over the draws, and the choice, are looked at where the draws
    are the file's own.
    """
    told: Mapping[tuple[str, ...], Held]
    now: Mapping[tuple[str, ...], Held]
    if same_draws:
        now = dict(_figures_in(_answer(found)))
        left_out = () if found.break_even or found.signposts else THRESHOLDS  # where nobody looked for them
        told = {key: x for key, x in saved.answer.items() if key[0] not in left_out}
        known = {key[2] for key in told if key[0] == "options" and len(key) == FIGURE}  # an older version stated fewer
        listed = {key[:2] for key in told if key[0] == "verdict"}  # and may say less of an experiment
        told |= {key: UNSTATED for key, x in now.items() if key not in told and x is not None and (
            (key[0] == "options" and len(key) == FIGURE and key[2] in known)
            or key[:2] in told or (key[:2] in listed and key[2].isdigit()))}
    else:
        now = {("options", o.id, name): getattr(o, name) for o in found.options for name in TOLD}
        told = {("options", *key): x for key, x in saved.figures.items() if key[1] not in DRAWN}
    choice = found.verdict.recommended
    apart = {key: _apart(x, now.get(key)) for key, x in told.items()}
    moved = {key: x for key, x in apart.items() if x > max(SMALL if key[0] == "verdict" else CENT, SAME * _size(told[key]))}
    version = f"roi {saved.roi_version}"
    unless = "" if saved.sealed else "the file was edited, or "
    why = f"{saved.edited} edited after {version} wrote it" if saved.edited else f"{unless}{version} computed otherwise"
    if not moved:
        if same_draws and saved.advice.recommended not in (None, choice):
            return f"{saved.path} recommends {saved.advice.recommended}, its facts {choice}; {why}"
        if not saved.signed:
            return f"{saved.path} has no digest of its facts, so that nobody can tell whether one was changed or taken away"
        return f"{saved.path} was edited after {version} wrote it: {saved.edited}" if saved.edited else ""
    *of, name = key = max(moved, key=lambda each: (each[-1] in TOLD, moved[each]))
    there, here = (f"{x:,.2f}" if isinstance(x, float) else visible(str(x or "none"))[:60] for x in (told[key], now.get(key)))
    here = f"{here} by its facts" if key in now else "not possible by its facts"
    place = visible(f"{name} of {'.'.join(of[of[0] == 'options':])}" if len(of) > 1 else ".".join(key))
    return (f"{len(moved):,} of the {len(told):,} figures that {saved.path} states are not what its facts give now:"
            f" {place[:200]} {there} in the file, {here}; {why}")


def two_tasks(a: Comparison, b: Comparison) -> str:
    """A sentence where the answers have different titles, so that what differs lies between two tasks; else empty."""
    titles = [str(each.case["title"].value) for each in (a, b)]
    return "" if titles[0] == titles[1] else f"These are two tasks by their titles: {titles[0]!r} and {titles[1]!r}."


def _answered(data: Json) -> Json:
    """The options of a file's answer, by their ids, and the other parts of it that hold numbers."""
    rows = data.get("options")
    options = {str(row.get("id")): row for row in rows if isinstance(row, dict)} if isinstance(rows, list) else {}
    return {"options": options, "verdict": {name: data[name] for name in DECIDED if name in data},
            **{name: data.get(name) for name in ANSWERED}}


def _answer(found: Comparison) -> Json:
    """A Comparison's options by their ids, and the other parts of its answer that hold numbers, as `_answered` has a file's."""
    works = {o.id: {"feasible": True, **vars(o)} for o in found.options}
    fails = {o.id: {"feasible": False, "evaluated": o.quality.status == "evaluated", **vars(o)} for o in found.infeasible}
    return {"options": works | fails, "verdict": {name: getattr(found.verdict, name) for name in DECIDED},
            **{name: getattr(found, name) for name in ANSWERED},
            "signposts": (*found.signposts, *found.signposts_once_in_use)}


def _figures_in(held: object, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Held]]:
    """(Place, figure) of every number and NAMED text in records, mappings and lists; None for none, and for no end."""
    if held is None or isinstance(held, (int, float)):
        yield place, None if held is None or not abs(held) <= MOST**2 else float(held)
    elif isinstance(held, str):
        if not NAMED.isdisjoint(place[-2:]):
            yield place, held
    else:
        inside = vars(held) if is_dataclass(held) else dict(enumerate(held)) if isinstance(held, (list, tuple)) else held
        pairs = inside.items() if isinstance(inside, Mapping) else ()
        for key, each in pairs:
            yield from _figures_in(each, (*place, str(key)))


def _apart(told: Held, now: Held) -> float:
    """How far two figures lie apart; infinitely where one of them is none, or a name."""
    if isinstance(told, float) and isinstance(now, float):
        return abs(now - told)
    return 0.0 if told == now else inf


def _size(told: Held) -> float:
    return abs(told) if isinstance(told, float) else 0.0


def _advice(data: Json, case: Case) -> Advice:
    """What the file recommends, of options that it has."""
    told, steps = data.get("recommended"), data.get("steps")
    known = isinstance(steps, list) and all(isinstance(id, str) and id in case.options for id in steps)
    return Advice(told if isinstance(told, str) and told in case.options else None, tuple(steps) if known and steps else ())


def _signposts(path: Path, given: object) -> tuple[Signpost, ...]:
    """The thresholds that the file states."""
    found = []
    for k, row in enumerate(given if isinstance(given, list) else ()):
        told = row if isinstance(row, dict) else {}
        texts = {name: told.get(name) for name in ("option", "rival", "quantity", "direction", "reason")}
        today, at = told.get("today"), told.get("threshold")
        whole = all(isinstance(x, (int, float)) and abs(x) <= MOST**2 for x in (today, 0.0 if at is None else at))
        if not whole or not all(isinstance(text, str) and not UNSEEN.search(text) for text in texts.values()):
            _refuse(path, f"signposts.{k}: not usable; option, rival, quantity, direction, reason and finite numbers{HINT}")
        found.append(Signpost(**texts, today=float(today), threshold=None if at is None else float(at),  # type: ignore[arg-type]
                              once_in_use=told.get("once_in_use") is True))
    return tuple(found)


def _text(path: Path) -> str | None:
    """The file's text where it begins like a JSON object; None otherwise, also where it cannot be read."""
    try:
        if not path.is_file():
            return None
        size = path.stat().st_size
        with open_to_read(path) as file:
            head = file.read(256)
            if not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
                return None
            if size > SIZE_LIMIT:
                _refuse(path, f"{size:,} bytes; a saved comparison has at most {SIZE_LIMIT:,}")
            return (head + file.read(SIZE_LIMIT)).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None  # the scenario's reader says what is wrong with it


def _check_plain(path: Path, place: str, held: object) -> None:
    """CaseError where a number is not finite, or a key or text holds what a terminal obeys: it is written out again."""
    if isinstance(held, float) and not isfinite(held):
        _refuse(path, f"{place}: {held} is not usable; a finite number")
    if isinstance(held, str) and UNSEEN.search(held):
        _refuse(path, f"{place}: {held[:60]!r} is not usable; one line of plain text, without control characters")
    for key, value in held.items() if isinstance(held, dict) else enumerate(held) if isinstance(held, list) else ():
        _check_plain(path, place, str(key))
        _check_plain(path, f"{place}.{str(key)[:60]}", value)


def _case(path: Path, data: object) -> Case:
    """The saved facts as a Case; CaseError names the first that could not have been saved."""
    if not isinstance(data, dict) or not data:
        _refuse(path, f"case: missing or not a mapping of paths to facts{HINT}")
    from pydantic import TypeAdapter, ValidationError  # only here: who replays nothing does not wait for it

    checked, facts = TypeAdapter(Fact), {}
    for name, fact in data.items():
        for part in ("value", "low", "high"):
            held = fact.get(part) if isinstance(fact, dict) else None
            for x in held if isinstance(held, list) else (held,):
                if isinstance(x, float) and not isfinite(x):
                    _refuse(path, f"case.{name[:200]}.{part}: {x} is not usable; a finite number")
        try:
            facts[name] = checked.validate_python(fact)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(x) for x in first["loc"][:1])
            shown = _shown(fact, place)
            takes = allowed(first).replace("Unexpected keyword argument", "Extra inputs are not permitted")
            if not isinstance(fact, dict):
                takes = "a fact is a block of keys: value, unit, source and basis"
            elif first["loc"][1:]:  # of the types of a value each says that it is not one of it
                takes = "it should be a number, a text, true or false, null, or a list of numbers"
            _refuse(path, f"case.{name[:200]}{'.' + place if place else ''}: {shown} is not usable; {takes}")
        except (RecursionError, OverflowError) as error:
            _refuse(path, f"case.{name[:200]}: not usable: {str(error)[:100]}")
    return _checked(path, Case(facts=facts))


def _shown(fact: object, place: str) -> str:
    """What of a fact is refused: the value at the place, or where its parts do not go together its three numbers."""
    if not isinstance(fact, dict):
        return repr(fact)[:60]
    if place in fact:
        return repr(fact[place])[:60]
    return ", ".join(f"{name} {str(fact[name])[:20]}" for name in ("low", "value", "high") if name in fact)


def _checked(path: Path, case: Case) -> Case:
    """The Case, its sizes and numbers within bounds."""
    for name, (least, most) in BOUNDS.items():
        value = case[name].value if name in case else None
        if isinstance(value, (str, bool, tuple)) or value is None or not least <= value <= most or value != int(value):
            _refuse(path, f"case.{name}.value: {value!r} is not usable; a whole number from {least} to {most}")
    for name in ("title", "as_of"):
        if name not in case or not isinstance(case[name].value, str):
            _refuse(path, f"case.{name}: missing, or not a text{HINT}")
    try:
        date.fromisoformat(str(case["as_of"].value))
    except ValueError:
        _refuse(path, f"case.as_of: {str(case['as_of'].value)[:40]!r} is not usable; a day like 2026-11-26")
    for name, fact in case.facts.items():
        _check_range(path, name, fact)
    _check_meaning(path, case)
    return case


def _check_range(path: Path, name: str, fact: Fact) -> None:
    """CaseError where a number is not one that its unit allows, or a name or text holds what a terminal obeys."""
    if CURRENCY.match(fact.unit):
        _refuse(path, f"case.{name[:200]}.unit: {fact.unit[:20]!r} is not usable; all amounts are in USD")
    least, most = RANGES.get(fact.unit, (0.0, MOST) if fact.unit and not CREDIT.fullmatch(name) else (-MOST, MOST))
    if name.endswith(SURCHARGED[0]):
        least, most = SURCHARGED[1]
    words = "a share" if fact.unit == SHARE else fact.unit or "a number"
    for x in fact.value if isinstance(fact.value, tuple) else (fact.value, fact.low, fact.high):
        if isinstance(x, str) and UNSEEN.search(x):
            _refuse(path, f"case.{name[:200]}: {x[:60]!r} is not usable; one line of plain text, without control characters")
        if isinstance(x, (int, float)) and not least <= x <= most and name != "seed":
            _refuse(path, f"case.{name[:200]}: {str(x)[:40]} is not usable; {words} from {least:g} to {most:g}")
    if UNSEEN.search(name):
        _refuse(path, f"case: {name[:60]!r} is not usable; one line of plain text, without control characters")


def _check_meaning(path: Path, case: Case) -> None:
    """CaseError where a bar is no share, a number of GPUs is below 1, a plan has no price, or lengths do not pair."""
    for name, fact in case.facts.items():
        value = fact.value
        number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else -1.0
        if name == "quality.bar" and value is not None and not 0 <= number <= 1:
            _refuse(path, f"case.{name}: {str(value)[:40]} is not usable; a share from 0 to 1")
        if name.endswith(GPUS) and value is not None and number < 1:
            _refuse(path, f"case.{name[:200]}: {str(value)[:40]} is not usable; at least 1")
    for plan in dict.fromkeys(found[0] for name in case.facts if (found := PLAN.match(name))):
        if not any(f"{plan}.{name}" in case for name in PAID):
            _refuse(path, f"case: no {plan[:200]}.usd_per_gpu_hour{HINT}")
    given, answered = (_length(case, f"workload.{name}_tokens") for name in ("input", "output"))
    if given != answered:
        _refuse(path, f"case.workload.output_tokens: {answered} values are not usable; as many as input_tokens has, {given}")


def _length(case: Case, name: str) -> int:
    value = case[name].value if name in case else ()
    return len(value) if isinstance(value, tuple) else 1


def _refuse(path: Path, problem: str) -> NoReturn:
    raise CaseError(f"{path}: {problem}")
