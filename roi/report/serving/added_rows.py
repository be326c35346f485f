"""How `roi calibrate --add` is told: what each table did to the interval of each model on a card."""

import json
from collections.abc import Iterable
from dataclasses import asdict

from roi.answers.calibrate_serving import AddedRows, Piece, Trend
from roi.report.layout.blocks import Block, Paragraph, Row, Table, Title
from roi.report.layout.skipped_rows import skipped_json, skipped_told
from roi.report.layout.wording import from_to, number_of

SCHEMA = "roi.added-rows/1"
HEADS = ("engine, GPU, model", "rows", "speed", "5-95% before", "after")


def added_json(found: AddedRows) -> str:
    """The answer as JSON; speeds are measured over published."""
    return json.dumps({
        "schema": SCHEMA, "written": [str(path) for path in found.written], "pieces": [asdict(p) for p in found.pieces],
        "skipped": skipped_json(found.skipped), "slow": [{"id": row.id, "speed": row.speed} for row in found.slow],
        "unused": found.unused, "known": found.known, "replaced": found.replaced, "unplanned": found.unplanned,
    }, indent=1, allow_nan=False)  # fmt: skip


def added_blocks(found: AddedRows) -> Iterable[Block]:
    """The parts of the report."""
    rows = sum(piece.rows for piece in found.pieces) + found.known
    unused = (f" Not used: {number_of(found.unused, 'row')} without a speed, or marked implausible." if found.unused else "")
    known = f" {found.known} of the rows are known already, by their figures, and count once." if found.known else ""
    slow = "".join(f" Not kept: row {row.id!r}, {row.why}" for row in found.slow)
    replaced = (f" No longer counted: {number_of(found.replaced, 'row')} of a table of the same name, kept before, that"
                " this one lacks; under another name it counts beside it." if found.replaced else "")
    against = ", ".join(dict.fromkeys(piece.model for piece in found.pieces if piece.contradicts))
    contradicted = f" Rows of {against} lie outside of what was known: its interval may be the wider one." if against else ""
    unplanned = (f" No plan is made on {', '.join(found.unplanned)}, where engines do not run: what yours holds there"
                 " is serving.capacities of a scenario." if found.unplanned else "")
    apart = "".join(f" Tables contradict each other on {piece.model}, {piece.gpu}: {piece.apart} of the published speed."
                    for piece in found.pieces if piece.apart)
    trends = "".join(_trend(piece.model, piece.trend) for piece in found.pieces if piece.trend is not None)
    return (
        Title(f"Serving speed: {number_of(rows, 'row')} kept in {', '.join(path.name for path in found.written)}"),
        *([Table(HEADS, tuple(map(_piece, found.pieces)))] if found.pieces else []),
        Paragraph("Speed and its interval are over the published estimate. The more a plan has in common with them, the"
                  " more they move it. size and compare use the rows from now on, on this card with this engine, where no"
                  " profile of a server of the very plan is kept: `roi size FILE.yaml` says what they did to its speed, roi"
                  f" validate leaves them out.{unplanned}{contradicted}{apart}{trends}{known}{replaced}{slow}{unused}"),
        *skipped_told("Rows left out", found.skipped),
    )  # fmt: skip


def _trend(model: str, trend: Trend) -> str:
    way = "rise" if trend.speed_most > trend.speed_fewest else "fall"
    return (f" Rows of {model} {way} with load, from {trend.speed_fewest:.2f} of the published speed with {trend.fewest:,g} in"
            f" flight to {trend.speed_most:.2f} with {trend.most:,g}: one factor for all hides that. `roi profile serve`"
            " measures what each request in flight adds.")


def _piece(piece: Piece) -> Row:
    ends = (from_to(f"{low:.2f}", f"{high:.2f}", "-") for low, high in (piece.before, piece.after))
    return Row((f"{piece.engine}, {piece.gpu}, {piece.model}", str(piece.rows), f"{piece.centre:.2f}", *ends))
