"""How a field of the scenario is explained: its words and bounds, what it is in a scenario, and what it moves."""

from collections.abc import Iterator, Sequence
from typing import Final

from roi.answers.help import FieldAnswer, Moves
from roi.errors import first_of
from roi.facts.fact import Basis, Fact
from roi.report.layout.blocks import Block, Gap, Notes, Paragraph, Row, Table, Title
from roi.report.layout.wording import fact_range, figure, quantity
from roi.scenario.meaning import REPEATS, Meaning, field_paths, meaning_of, stand_in
from roi.scenario.quantity import Spread

UNITS = {
    "1/year": "as a share a year, 0.1 for 10%", "share": "as a share, 0.8 for 80%", "s": "in seconds", "ratio": "as a ratio",
}  # fmt: skip
"""How a number is written, where its unit does not say it."""
EVERY: Final = "fields"
"""The word that asks for all of them."""
SHOWN = 5
"""Options of which the report says what a field moves."""


def field_blocks(a: FieldAnswer) -> list[Block]:
    """The parts of the answer."""
    m = a.meaning
    blocks: list[Block] = [Title(m.path), Paragraph(m.meaning), Notes(tuple(_notes(a)))]
    if a.inside:
        listed = tuple(Row((each.path.removeprefix(f"{m.path}."), _left_out(each)), detail=each.meaning) for each in a.inside)
        blocks += [Gap(), Table(("field", "left out"), listed, align="ll")]
    if a.moves is not None:
        blocks += _table(a.moves, a.meaning.path, m.unit)
    return blocks


def fields_blocks(word: str, found: Sequence[Meaning], commands: Sequence[str], wished: str | None = None) -> list[Block]:
    """The fields that have to do with a word, or all end in it, each in its first sentence, and commands that begin so.

    Before them what says that which is `wished` by the word, and which no field holds.
    """
    told = [] if wished is None else [Paragraph(f"{word}: {wished}.")]
    if not found:
        return list(told)
    ending = all(each.path.endswith(f".{word}") for each in found)
    rows = tuple(Row((each.path,), detail=each.meaning.partition(". ")[0].rstrip(".")) for each in found)
    also = [f"A command begins so: roi {name}." for name in commands]
    return [*told, Title(f"Fields that {'end in' if ending else 'have to do with'} {word}"), Table(("field",), rows, align="l"),
            Notes(("roi help FIELD [FILE] says more of one, and what it moves.", *also))]


def every_field_blocks() -> list[Block]:
    """Every field that is no block, a line each, with what holds where it is left out."""
    each = (meaning_of(path) for path in field_paths() if not path.startswith(REPEATS))
    rows = tuple(Row((m.path, _left_out(m))) for m in each if not m.fields)
    return [Title("Every field of a scenario"), Table(("field", "left out"), rows, align="ll"),
            Notes(("roi help FIELD [FILE] says more of one, and what it moves.",))]


def _notes(a: FieldAnswer) -> Iterator[str]:
    """One remark each on what may be written, what is assumed, and what it is here."""
    m = a.meaning
    unit = f", {UNITS.get(m.unit, f'in {m.unit}')}" if m.unit else ""
    yield f"Write: {m.kind}{unit}{f' ({m.bounds})' if m.bounds else ''}."
    if not m.fields:
        yield f"Left out: {_default(m)}."
    if not a.inside and a.scenario is None:
        yield f"Here: no scenario given; roi help {m.path} FILE says what it is there, and what it moves."
    elif not a.inside:
        yield f"Here ({a.scenario}): {_here(a)}."
        if a.moves is None:
            yield f"Moves: {a.no_moves}."


def _here(a: FieldAnswer) -> str:
    """The value of the scenario, and where it comes from."""
    held = getattr(a.value, "value", a.value)
    if a.instead is not None:
        return f"left out, so that {a.instead} holds: {_known(a, held)}"
    return _known(a, held)


def _known(a: FieldAnswer, held: object) -> str:
    """A value, its range and where they come from."""
    if a.fact is None:
        return f"{_value(held, a.meaning.unit)}{'' if a.stated else ', the default'}"
    told = _value(held if held is not None else a.fact.value, a.meaning.unit)
    basis = "a guess" if a.fact.basis is Basis.TEMPLATE else str(a.fact.basis)
    basis = "the default" if a.fact.basis is Basis.STATED and not a.stated else basis
    spread = f", 5 to 95%: {fact_range(a.fact)}" if a.fact.uncertain else ""
    own = "" if a.fact.source.startswith("scenario ") else f": {a.fact.source}"
    return f"{told}{spread}; {basis}{own}"


def _table(moves: Moves, path: str, unit: str) -> list[Block]:
    """The options that the field moves most, the rest counted."""
    if not moves.npv_usd:
        between = " and ".join(quantity(at, unit) for at in moves.at if at is not None)
        rule = ("; but by it an option may be recommended or not, a test be worth its cost or not: change it with --set and"
                " compare again" if path == "quality.bar" or path.startswith("verdict.") else "")
        return [Paragraph(f"It moves no option's NPV between {between} ({moves.ends}){rule}.")]
    rows = [Row((label, *("-" if x is None else f"{x:,.0f}" for x in npv))) for label, npv in moves.npv_usd.items()]
    heads = ("NPV against staying, USD", *("left\nout" if at is None else f"at\n{quantity(at, unit)}" for at in moves.at))
    left = len(rows) - SHOWN
    not_there = " -: not possible there." if any(None in npv for npv in [*moves.npv_usd.values()][:SHOWN]) else ""
    more = f" {left} more option{' moves' if left == 1 else 's move'} less." if left > 0 else ""
    return [Gap(), Table(heads, tuple(rows[:SHOWN])),
            Paragraph(f"The rest central; the values are {moves.ends}.{not_there}{more}")]


def _left_out(m: Meaning) -> str:
    """What holds where the field is not written."""
    if m.needed:
        return "an error, since it must be given"
    return "the defaults inside" if m.fields else _value(m.default, m.unit)


def _default(m: Meaning) -> str:
    """What holds where the field is not written, and why; where that is another field's value, that one and its default."""
    other = stand_in(m)
    if other is not None:
        instead = meaning_of(other)
        if isinstance(instead.default, (Spread, int, float)) and not isinstance(instead.default, bool):
            return f"{other}, by default {_default(instead)}"
    if m.default in (None, {}) and "left out = " in m.meaning:
        return "as said above"
    reason = f" ({m.default.source})" if isinstance(m.default, Spread) and m.default.source else ""
    return f"{_left_out(m)}{reason}"


def _value(value: object, unit: str) -> str:
    """A value or a default in words."""
    if isinstance(value, Spread):
        held = Fact(value=value.value, low=value.low, high=value.high, unit=unit, basis=Basis.ASSUMED, source=value.source)
        return quantity(value.value, unit) + (f", 5 to 95%: {fact_range(held)}" if held.uncertain else "")
    if value is None or isinstance(value, bool):
        return {None: "no value", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return quantity(value, unit) if unit else figure(value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(getattr(each, 'value', each), unit)}" for name, each in value.items()) or "none"
    if isinstance(value, tuple):
        return first_of([str(each) for each in value], SHOWN) or "none"
    return str(value)
