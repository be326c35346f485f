"""Remarks on an export whose months are tracked: what it bills beside tokens, list prices that moved, rows without a price."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date as Date
from typing import TYPE_CHECKING, Final

from roi.answers.track_roles import Models, own_server, same_model
from roi.errors import first_of, visible

if TYPE_CHECKING:
    from roi.usage.measure.pricing import Priced
    from roi.usage.summary import Usage

UNKNOWN: Final = "model: unknown "
"""How the remark on rows begins whose model, or provider, the price list does not have."""
MOVED_LIST: Final = 0.005
"""Share by which list prices may move without a word."""


def billed_beside(found: "Usage", *, by_unit: bool) -> Iterator[str]:
    """What is billed beside tokens, and whether it is cash of its month: units are where the decision has some (`by_unit`)."""
    if found.costs:
        yield "a cost export is among the files; what was billed is read from --bill"
    for own, told in ((True, "which is, without --bill, in the cash of months whose rows say what they cost"),
                      (False, "which no figure takes from an export: what was paid in all is read from --bill")):
        items = [item for item in found.items if item.usd_per_month and (by_unit and item.of_units) is own]
        if a_month := sum(item.usd_per_month or 0.0 for item in items):
            names = first_of([f"${item.usd_per_month or 0.0:,.0f} {visible(item.name)}" for item in items], 3)
            yield f"${a_month:,.0f} a month is billed without tokens ({names}), {told}"


def list_moved(rows: "Mapping[str, Sequence[tuple[str, Priced]]]", as_of: str) -> Iterator[str]:
    """What to say where list prices are no longer those of the forecast's day, and some rows do not say what was paid."""
    from roi.usage.measure.pricing import EPOCH, list_on

    unpaid = [each for some in rows.values() for _, each in some if not each.spend.costed]
    then = list_on(unpaid, (Date.fromisoformat(as_of) - EPOCH).days)
    lists = [(each.list_usd, usd) for each, usd in zip(unpaid, then, strict=True) if each.list_usd and usd]
    now, was = (sum(pair[k] for pair in lists) for k in (0, 1))
    if abs(now - was) > MOVED_LIST * was:
        yield (f"--actual: tokens without a cost are at the forecast's prices; the list's are x{now / was:.3f} of those of"
               f" {as_of}: --bill says what is paid")


def with_counted(found: "Usage", rows: "Mapping[str, Sequence[tuple[str, Priced]]]", models: Models) -> Iterator[str]:
    """The remarks, that of an unknown provider or an own model said as what it is where all of its rows count.

    Alone it read as if they did not. Last, what else counts as the own server's, or the tuned model's, by another name.
    """
    from roi.usage.told import unlisted

    roles = {(each.spend.provider, each.spend.model): role for some in rows.values() for role, each in some}
    ours = {str(each): each for each in unlisted(found.priced)
            if {(one.provider, one.model) for one in each.sums} <= roles.keys()}
    unsure = {model for (_, model), role in roles.items() if models.own is None and role == "own" and model
              and not same_model(model.partition("+")[0], models.base)}
    whose = "the own server's" if models.served else "the tuned model's"
    for note in found.notes:
        one = ours.get(note)
        own = one is not None and one.why.startswith(UNKNOWN) and models.own is None and all(
            roles[each.provider, each.model] == "own" for each in one.sums)
        if one is None or not (own or one.provider):
            yield note
            continue
        told = {each.model for each in one.sums if each.model}
        as_whose = f" as {whose}" if own and told <= unsure else ""
        unsure -= told if as_whose else set()
        lacks = f"provider {one.provider!r}" if one.provider else "such model"
        rows_tell = "" if models.served and own_server(one.provider) else "their rows, "
        yield (f"{', '.join(one.models)}, {one.rows}: counted{as_whose}; the price list has no {lacks}, so what they cost is as"
               f" {rows_tell}--bill or --opencost tell it, else as forecast")
    if unsure:
        yield f"counted as {whose}: {first_of([visible(name) for name in sorted(unsure)], 5)}"
