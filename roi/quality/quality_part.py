"""The part of a scenario that an evaluation settles, as YAML to lay over one, and what it records for the next run."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from roi.numerics.paired import ScorePosterior
from roi.quality.cautions import Caution, Fixed
from roi.quality.evaluation_set import EvaluationSet
from roi.quality.measured import Difference, Measured, SystemScore
from roi.scenario.file import read_part
from roi.scenario.yaml import MEASURED, QUALITY_PART, comment, dump_yaml

DIGITS = 6
LONGEST = 400
"""Characters of a warning in a scenario."""
ALIKE = 1e-6
"""Parts of an item by which a number of items may differ from another."""


def part_yaml(
    found: EvaluationSet, measured: Measured, fixed: dict[str, Fixed], warnings: list[Caution], results_on: str | None,
) -> str:
    """YAML with `quality`, and beside it the record: how systems agree with the incumbent, and since when the rules stand.

    Of a system alone it has the score, without pairs, and the incumbent is null where nobody says that it is paid today.
    """
    source = f"{MEASURED}{', '.join(found.notes.metrics)}{f', results of {results_on}' if results_on else ''}"
    record: dict[str, Any] = {
        "incumbent": measured.incumbent, "results_on": results_on,
        "fixed": {name: asdict(rule) for name, rule in fixed.items()},
        "right": round(measured.scores[0].posterior.right, DIGITS), "wrong": round(measured.scores[0].posterior.wrong, DIGITS),
        "agreement": {each.system: {name: round(getattr(each.agreement, name), DIGITS) for name in ("n11", "n10", "n01", "n00")}
                      for each in measured.differences},
    }  # fmt: skip
    data = {"schema": QUALITY_PART, "quality": dict(_quality(measured, source, warnings)), "record": record}
    lines = ["What an evaluation settles; lay it over: roi compare my.yaml --quality THIS_FILE",
             *(f"read: {name} ({title}, {rows:,} rows)" for name, title, rows in found.notes.sources[:5]),
             *(f"warning: {each.sentence}" for each in warnings),
             "record: items by who was right: n11 both, n10 the incumbent alone, n01 the other alone, n00 neither; where items",
             "are graded, weighted or in clusters, as many plain ones as say as much"]
    return "".join(comment(" ".join(line.split())) for line in lines) + dump_yaml(data)


def _quality(measured: Measured, source: str, warnings: list[Caution]) -> Iterator[tuple[str, Any]]:
    if measured.bar is not None:
        yield "bar", measured.bar
    plain = all(map(_counted, measured.scores))
    most = {each.system: max(each.items, measured.scores[0].items) for each in measured.scores}
    first = {f"{each.first} > {each.second}": each.with_first for each in measured.cascades}
    paired = {each.system: {"paired": _paired(each, plain=plain, most=most[each.system], first=first.get(each.system))}
              for each in measured.differences}
    yield "scores", {each.system: {**_score(each), **paired.get(each.system, {}), "source": source} for each in measured.scores}
    for name in ("escalated", "kept_error_rate", "escalated_error_rate"):  # a scenario hands on to its incumbent alone
        known = {each.first: getattr(each, name) for each in measured.cascades if each.second == measured.incumbent}
        rates = {first: _rounded(part) | {"source": source} for first, part in known.items() if part is not None}
        if rates:
            yield name, rates
    if kept := [{"says": " ".join(each.says.split())[:LONGEST]} | ({"about": each.about} if each.about else {})
                for each in warnings if each.kept]:
        yield "cautions", kept


def _counted(each: SystemScore) -> bool:
    """Whether its items were right or wrong, alone and of equal weight."""
    return abs(each.seen.right + each.seen.wrong - each.items) < ALIKE


def _score(each: SystemScore) -> dict[str, Any]:
    """Value and items; and the items that would say as much, right or wrong each, where its own were graded."""
    told = {"value": round(each.seen.share, DIGITS), "items": each.items}
    return told if _counted(each) else told | {"effective_items": round(each.seen.right + each.seen.wrong, DIGITS)}


def _paired(each: Difference, *, plain: bool, most: int, first: float | None) -> dict[str, float]:
    """Items by who was right, as a scenario's score states them; and what they do not say where they are parts of items.

    That is how the scores go together, or where only some of the `most` items pair, how many do; and of a cascade on all of
    them how its score goes with its `first` model's.
    """
    found = each.agreement
    counts = {"both_right": found.n11, "only_incumbent": found.n10, "only_this": found.n01, "both_wrong": found.n00}
    told = {name: round(count, DIGITS) for name, count in counts.items()}
    if first is not None and each.pairs == most:
        told["with_first"] = round(first, DIGITS)
    if plain:
        return told
    return told | ({"pairs": each.pairs} if each.pairs < most else {"correlation": round(each.correlation, DIGITS)})


def _rounded(known: ScorePosterior) -> dict[str, Any]:
    low, high = known.interval
    return {"value": round(known.share, DIGITS), "low": round(low, DIGITS), "high": round(high, DIGITS)}


def read_record(path: Path) -> dict[str, Any]:
    """What an earlier run wrote down in its part; empty where the file is not there, InputError where it is another file."""
    if not path.exists():
        return {}
    record = read_part(path, "--output").get("record")
    return record if isinstance(record, dict) else {}
