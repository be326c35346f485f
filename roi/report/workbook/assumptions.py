"""The facts that the answer follows from, as cells of a workbook: which have one, what its name is, and what stands beside.

Prices of one model at one vendor, and rents of one card at one vendor, stand in the Case once an option; here once.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from roi.facts.case import Case
from roi.facts.fact import Fact
from roi.report.layout.wording import fact_name
from roi.report.workbook.node import Node, Trace

FEW: Final = 4
"""Entries of a list that stand as single assumptions; longer lists stand on a sheet of their own."""
TAKEN: Final = re.compile(r"[A-Za-z]{1,3}\d+|[Rr]\d*[Cc]\d*|[RrCc]")
"""What a spreadsheet reads as a cell, which no name may be."""
LONGEST: Final = 200
"""Characters of a name; a spreadsheet takes 255."""
GROUPS: Final = {
    "workload": "Volume",
    "discount_rate_per_year": "Money",
    "commitment": "Money",
    "reconciliation": "Money",
    "people": "People and changes",
    "migration": "People and changes",
    "evaluation": "People and changes",
    "changes": "People and changes",
    "kinds": "People and changes",
    "quality": "Quality",
    "systems": "Quality",
    "drift": "Vendors and drift",
    "vendors": "Vendors and drift",
    "apis": "Prices and plans",
    "options": "Prices and plans",
    "gpu_rents": "Prices and plans",
    "purchase": "Prices and plans",
    "serving": "Serving",
    "platform": "Serving",
    "training": "Training",
    "own_hardware": "Own hardware",
    "costs": "Your own costs",
}
"""The heading above the facts whose path begins so, in the order of the sheet."""


@dataclass(frozen=True)
class Assumption:
    """A fact, or one entry of a short list, with a cell of its own."""

    node: Node | None
    """None for what is fixed in the workbook."""
    path: str
    label: str
    name: str
    fact: Fact
    value: float


def same_fact(case: Case, path: str) -> tuple[object, ...] | None:
    """What two facts have in common that are one: the price list of a model, the rent of a card; None for a fact of its own."""
    found = re.fullmatch(r"(options\..+?)\.(price\.\w+|plans\.(\d+)\.(?:usd_per_gpu_hour|watts|minimum_months))", path)
    if found is None:
        return None
    option, name, plan = found[1], found[2], found[3]
    of = [f"{option}.vendor"] if plan is None else [f"{option}.plans.{plan}.{each}" for each in ("gpu", "vendor", "rental")]
    fact = case[path]
    who = tuple(case[each].value for each in of if each in case)
    return (name if plan is None else name.rpartition(".")[2], who, fact.value, fact.source, fact.date) if who else None


def assumptions(trace: Trace, case: Case, used: Iterable[Node]) -> tuple[list[Assumption], dict[str, list[Node]]]:
    """The assumptions with cells of their own, by heading, and the longer lists by path: of all facts that are used."""
    order = list(dict.fromkeys(GROUPS.values()))
    groups = {path: heading_of(path) for path in case}
    paths = sorted(case, key=lambda path: order.index(groups[path]) if groups[path] in order else len(order))
    wanted, names = set(used), Names()
    single: list[Assumption] = []
    lists: dict[str, list[Node]] = {}
    by_path: dict[str, list[Node]] = {}
    for node in trace.known.values():
        if node.op == "fact" and node in wanted:
            by_path.setdefault(node.args[0], []).append(node)
    for path in paths:
        fact = case[path]
        length = len(fact.value) if isinstance(fact.value, tuple) else 1
        if path not in by_path:
            continue
        if length > FEW:
            lists[path] = [trace.fact(path, k, x, fact.unit) for k, x in enumerate(fact.value)]  # type: ignore[arg-type]
            continue
        for node in sorted(by_path[path], key=lambda n: n.args[1] or 0):
            tier = "" if length == 1 else f", tier {node.args[1] + 1}"
            name = names.new(path if length == 1 else f"{path}_{node.args[1] + 1}")
            single.append(Assumption(node, path, label_of(case, path) + tier, name, fact, float(node.value)))
    return single, lists


def heading_of(path: str) -> str:
    """The heading that a fact stands under."""
    return GROUPS.get(path.partition(".")[0], "Other")


def label_of(case: Case, path: str) -> str:
    """What a reader calls a fact; of an option's fact, with the option's label in place of its id."""
    told = fact_name(path)
    found = re.fullmatch(r"options\.(.+?)\.(price|plans|training)\.(?:(\d+)\.)?(\w+)", path)
    if found is None or "(" not in told:
        return told
    label = case[f"options.{found[1]}.label"].value if f"options.{found[1]}.label" in case else found[1]
    return f"{found[4].replace('_', ' ')}, {label}"


class Names:
    """Names of cells, each given once; a spreadsheet tells no small letters from capitals."""

    def __init__(self) -> None:
        self.given: set[str] = set()

    def new(self, path: str) -> str:
        """A name made of a path: letters, digits and underscores."""
        name = re.sub(r"[^0-9A-Za-z]+", "_", path).strip("_")[:LONGEST] or "value"
        if name[0].isdigit() or TAKEN.fullmatch(name):
            name = f"v_{name}"
        stem, count = name, 1
        while name.lower() in self.given:
            count += 1
            name = f"{stem}_{count}"
        self.given.add(name.lower())
        return name


def sheet_names(labels: Iterable[str], taken: Iterable[str]) -> list[str]:
    r"""Names of sheets: at most 31 characters, none of []:*?/\, no quote at an end, none twice."""
    given, found = {each.lower() for each in taken} | {"history"}, []
    for label in labels:
        text = re.sub(r"[\[\]:*?/\\]", "-", "".join(ch if ch.isprintable() else " " for ch in label)).strip(" '")
        name, count = text[:31].strip(" '") or "Option", 1
        while name.lower() in given:
            count += 1
            end = f" ({count})"
            name = (text[: 31 - len(end)].strip(" '") or "Option") + end
        given.add(name.lower())
        found.append(name)
    return found
