"""How `roi calibrate --add` of training runs is told: what each table did to the speed of each configuration on a card."""

import json
from collections.abc import Iterable
from dataclasses import asdict

from roi.answers.calibrate_training import AddedRuns, Narrowed
from roi.estimate.step.calibration import ONE_GPU
from roi.report.layout.blocks import Block, Paragraph, Row, Table, Title
from roi.report.layout.skipped_rows import skipped_json, skipped_told
from roi.report.layout.wording import from_to, number_of

SCHEMA = "roi.added-runs/1"
HEADS = ("GPU, model, method", "rows", "speed", "5-95% before", "after")


def runs_json(found: AddedRuns) -> str:
    """The answer as JSON; speeds are the roofline's time over the measured one."""
    return json.dumps({
        "schema": SCHEMA, "written": [str(path) for path in found.written], "pieces": [asdict(p) for p in found.pieces],
        "skipped": skipped_json(found.skipped), "unused": found.unused, "assumed": dict(found.assumed),
    }, indent=1, allow_nan=False)  # fmt: skip


def runs_blocks(found: AddedRuns) -> Iterable[Block]:
    """The parts of the report."""
    rows = sum(piece.rows for piece in found.pieces)
    unused = (f" Not kept: {number_of(found.unused, 'run')} without a card of the catalog, a mean length or a speed, split over"
              " GPUs, of a tuner beside LoRA, or published already." if found.unused else "")
    against = ", ".join(dict.fromkeys(f"{piece.model} on {piece.gpu}" for piece in found.pieces if piece.contradicts))
    contradicted = f" Runs of {against} lie outside of what was known: its interval may be the wider one." if against else ""
    beyond = ", ".join(dict.fromkeys(f"{piece.model} on {piece.gpu}" for piece in found.pieces if piece.beyond_peak))
    peak = (f" Runs of {beyond} are faster than the card's peak allows for the work of their plan, which then ends the"
            " interval: did all of it run (gradient_checkpointing, seq_len_mean)?" if beyond else "")
    taken = "".join(f" Not stated, and taken as: {', '.join(label for label, _ in found.assumed)}." for _ in found.assumed[:1])
    return (
        Title(f"Training speed: {number_of(rows, 'run')} kept in {', '.join(path.name for path in found.written)}"),
        Table(HEADS, tuple(map(_piece, found.pieces))),
        Paragraph("Speed and its interval are over the roofline of the step, for the run in the middle by its tokens. The more"
                  " a training has in common with the runs (card, method, model, length of a step), the more they move it, as"
                  " the points of a profile do: fit and compare use them from now on, on this card."
                  f"{taken}{contradicted}{peak}{unused}"),
        *skipped_told("Rows left out", found.skipped),
    )  # fmt: skip


def _piece(piece: Narrowed) -> Row:
    ends = (from_to(f"{low:.2f}", f"{high:.2f}", "-") for low, high in (piece.before, piece.after))
    layout = "" if piece.layout == ONE_GPU else f" {piece.layout}"
    return Row((f"{piece.gpu}{layout}, {piece.model}, {piece.method}", str(piece.rows), f"{piece.centre:.2f}", *ends))
