"""A saved comparison read back: its Case gives the same figures again, whatever the catalog says by now."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from roi.economics.decision.comparison import Comparison, compare
from roi.errors import CaseError
from roi.facts.case import Case
from roi.facts.fact import Fact

SCHEMA = "roi.comparison/2"
"""Version of a saved comparison's form."""
READ = ("roi.comparison/1", SCHEMA)
"""Versions that are read: their Cases hold paths and facts of the same form."""
SIZE_LIMIT = 64 * 2**20
"""Bytes; 100 options over 120 months take about 8 MiB."""
BOUNDS = {"horizon_months": (1, 120), "draws": (0, 1_048_576), "seed": (0, 2**63)}
"""Whole numbers that size the arrays, as the scenario bounds them."""
HINT = "; save it again with `roi compare SCENARIO --format json`"

Json = dict[str, Any]  # Any: plain JSON values


@dataclass(frozen=True)
class Saved:
    """What a saved comparison holds besides its figures."""

    path: Path
    case: Case
    scenario: Json | None
    warnings: tuple[str, ...]
    roi_version: str


def read_saved(path: Path) -> Saved | None:
    """The saved comparison in `path`; None where the file is something else. CaseError where it is damaged."""
    text = _text(path)
    if text is None:
        return None
    try:
        data = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        if path.suffix.lower() != ".json" and '"roi.comparison/' not in text:
            return None  # YAML may begin with a brace
        _refuse(path, f"not valid JSON: {str(error)[:100]}{HINT}")
    if "schema" not in data and "case" not in data:
        return None
    schema = data.get("schema")
    if schema not in READ:
        if "case" not in data and not str(schema).startswith("roi.comparison"):
            return None
        _refuse(path, f"schema: {str(schema)[:60]!r} cannot be replayed; it should be one of {', '.join(READ)}")
    scenario, warnings = data.get("scenario"), data.get("warnings")
    return Saved(path, _case(path, data.get("case")), scenario if isinstance(scenario, dict) else None,
                 tuple(str(w) for w in warnings) if isinstance(warnings, list) else (), str(data.get("roi_version"))[:40])


def replay(saved: Saved, *, draws: int | None = None, seed: int | None = None) -> Comparison:
    """The comparison of the saved Case, with another number of draws or another seed where given."""
    changed = {name: value for name, value in (("draws", draws), ("seed", seed)) if value is not None}
    facts = {**saved.case.facts, **{k: saved.case[k].model_copy(update={"value": v}) for k, v in changed.items()}}
    try:
        return compare(Case(facts=facts))
    except KeyError as error:
        _refuse(saved.path, f"case: no {str(error.args[0])[:200] if error.args else 'path'}{HINT}")
    except (TypeError, ValueError, ArithmeticError, IndexError, AssertionError, StopIteration, MemoryError) as error:
        _refuse(saved.path, f"case: it does not compute: {str(error)[:200] or type(error).__name__}{HINT}")


def _text(path: Path) -> str | None:
    """The file's text where it begins like a JSON object; None otherwise, also where it cannot be read."""
    try:
        if not path.is_file():
            return None
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(256)
            if not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
                return None
            if size > SIZE_LIMIT:
                _refuse(path, f"{size:,} bytes; a saved comparison has at most {SIZE_LIMIT:,}")
            return (head + file.read()).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None  # the scenario's reader says what is wrong with it


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    """The pairs of a JSON object; a ValueError names a key that is given twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:60]!r} is given twice")
    return found


def _case(path: Path, data: object) -> Case:
    """The saved facts as a Case; CaseError names the first that could not have been saved."""
    if not isinstance(data, dict) or not data:
        _refuse(path, f"case: missing or not a mapping of paths to facts{HINT}")
    facts = {}
    for name, fact in data.items():
        try:
            facts[name] = Fact.model_validate(fact)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(x) for x in first["loc"][:1])
            shown = repr(fact.get(place) if isinstance(fact, dict) and place in fact else fact)[:60]
            allowed = first["msg"].removeprefix("Value error, ").replace("Input should be", "it should be")
            _refuse(path, f"case.{name[:200]}{'.' + place if place else ''}: {shown} is not usable; {allowed}")
        except (RecursionError, OverflowError) as error:
            _refuse(path, f"case.{name[:200]}: not usable: {str(error)[:100]}")
    return _checked(path, Case(facts=facts))


def _checked(path: Path, case: Case) -> Case:
    """The Case, its sizes and numbers within bounds."""
    for name, (least, most) in BOUNDS.items():
        value = case[name].value if name in case else None
        if isinstance(value, (str, bool, tuple)) or value is None or not least <= value <= most or value != int(value):
            _refuse(path, f"case.{name}.value: {value!r} is not usable; a whole number from {least} to {most}")
    for name in ("title", "as_of"):
        if name not in case or not isinstance(case[name].value, str):
            _refuse(path, f"case.{name}: missing, or not a text{HINT}")
    for name, fact in case.facts.items():
        for x in fact.value if isinstance(fact.value, tuple) else (fact.value, fact.low, fact.high):
            if isinstance(x, (int, float)) and abs(x) > 1e15 and name != "seed":
                _refuse(path, f"case.{name[:200]}: {str(x)[:40]} is not usable; at most 1e15")
    return case


def _refuse(path: Path, problem: str) -> NoReturn:
    raise CaseError(f"{path}: {problem}")
