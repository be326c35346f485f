"""The facts that the answer follows from, as cells of a workbook: which have one, what its name is, and what stands beside.

Prices of one model at one vendor, and rents of one card at one vendor, stand in the Case once an option; here once.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain, count
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
HEADINGS: Final = {
    "Volume": ("workload",), "Money": ("discount_rate_per_year", "commitment", "reconciliation"),
    "People and changes": ("people", "migration", "evaluation", "changes", "kinds"), "Quality": ("quality", "systems"),
    "Vendors and drift": ("drift", "vendors"), "Prices and plans": ("apis", "options", "gpu_rents", "purchase"),
    "Serving": ("serving", "platform"), "Training": ("training",), "Own hardware": ("own_hardware",),
    "Your own costs": ("costs",), "Other": (),
}
"""The headings in the order of the sheet, and how the paths of the facts under each begin."""


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
    order, wanted, names = list(HEADINGS), set(used), Names()
    single: list[Assumption] = []
    lists: dict[str, list[Node]] = {}
    by_path: dict[str, list[Node]] = {}
    for node in trace.known.values():
        if node.op == "fact" and node in wanted:
            by_path.setdefault(node.args[0], []).append(node)
    for path in sorted((path for path in case if path in by_path), key=lambda path: order.index(heading_of(path))):
        fact = case[path]
        length = len(fact.value) if isinstance(fact.value, tuple) else 1
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
    begins = path.partition(".")[0]
    return next((heading for heading, known in HEADINGS.items() if begins in known), "Other")


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
        return _once(lambda end: name + end, "_{}", self.given)


def sheet_names(labels: Iterable[str], taken: Iterable[str]) -> list[str]:
    r"""Names of sheets: at most 31 characters, none of []:*?/\, no quote at an end, none twice."""
    given, found = {each.lower() for each in taken} | {"history"}, []
    for label in labels:
        text = re.sub(r"[\[\]:*?/\\]", "-", "".join(ch if ch.isprintable() else " " for ch in label)).strip(" '")
        found.append(_once(partial(_sheet_name, text), " ({})", given))
    return found


def _sheet_name(text: str, end: str) -> str:
    return (text[: 31 - len(end)].strip(" '") or "Option") + end


def _once(named: Callable[[str], str], end: str, given: set[str]) -> str:
    """What is `named` without an end, or with a number from 2 on in it: the first that is not `given`, and from then on is."""
    ends = chain([""], map(end.format, count(2)))
    name = next(name for name in map(named, ends) if name.lower() not in given)
    given.add(name.lower())
    return name
