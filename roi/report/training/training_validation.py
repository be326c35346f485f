"""How `roi validate` is told for a table of training runs: on a terminal, as Markdown, or as JSON."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from roi.estimate.accuracy.error_blocks import ErrorBlock, SkippedRow
from roi.estimate.accuracy.training_errors import FitRow, Quantity, Score, Validation
from roi.report.layout.blocks import Block, Bullets, Heading, Paragraph, Row, Table, Title
from roi.report.layout.render import render
from roi.units import GIB

SCHEMA = "roi.validation/1"
UNITS = {"memory": "GiB", "throughput": "tokens/s"}
SCALE = {"memory": float(GIB), "throughput": 1.0}
WORST = 10
"""The most rows in a list of largest errors."""

NONE = ErrorBlock(0, 0)
"""What the JSON holds for a figure that no row of such a table states: TPOT and TTFT of training, memory of serving."""

FEW = 3
"""Up to this many rows with one reason are named one by one."""

LEGEND = ("Errors are 100 (predicted / measured - 1), percent; p90 is of their size. n of: rows predicted, of those that"
          " state the figure. in 90%: measurements inside the 5-95% interval, percent.")

HEADS = ("", "n", "of", "MAPE", "median", "bias", "p90", "in 90%")
NAMES = {"source": "source", "method": "method", "gpu": "GPU", "kind": "memory kind"}


def validation_json(found: Validation, instrument: str, speed_model: str) -> str:
    """The answer as JSON: errors in percent, memory in GiB as tables have it; null where no row was predicted."""
    body = {
        **json_head(instrument, UNITS, found.rows),
        "memory": asdict(found.memory),
        "throughput": asdict(found.throughput),
        "tpot": asdict(NONE),
        "ttft": asdict(NONE),
        "by": {
            group: {name: {"memory": asdict(memory), "throughput": asdict(speed)} for name, (memory, speed) in blocks.items()}
            for group, blocks in found.by.items()
        },
        "second": {kind: asdict(block) for kind, block in found.second.items()},
        "second_predictions": [{**_prediction(score), "kind": kind} for kind, score in found.second_scores],
        "fits": found.fits._asdict(),
        "fit_rows": [_fit_row(row) for row in found.fit_rows],
        "speed_model": speed_model,
        "predictions": [_prediction(score) for score in found.scores],
        "skipped": [{"id": row.id, "line": row.line, "reason": row.reason} for row in found.skipped],
        "not_predicted": [{"id": id, "quantity": what, "reason": reason} for id, what, reason in found.unpredicted],
        "assumptions": [{"default": name, "rows": rows} for name, rows in found.assumptions],
    }
    return json.dumps(body, indent=1, allow_nan=False)


def validation_text(found: Validation, instrument: str, speed_model: str, form: str = "table") -> str:
    """The report in a form of `--format`: "table", no line longer than 80 columns, or "markdown"."""
    return render(_tell(found, instrument, speed_model), form)


def json_head(instrument: str, units: Mapping[str, str], rows: int) -> dict[str, object]:
    """The keys that the JSON of both kinds of table begins with."""
    return {
        "schema": SCHEMA, "instrument": instrument,
        "units": {**units, "errors": "percent, 100 (predicted / measured - 1)",
                  "coverage90": "percent of measurements from low to high"},
        "rows": rows,
    }  # fmt: skip


def _prediction(score: Score) -> dict[str, object]:
    scale = SCALE[score.quantity]
    return {
        "id": score.label.id, "quantity": score.quantity, "measured": score.measured / scale,
        "predicted": score.predicted / scale, "low": score.low / scale, "high": score.high / scale,
    }  # fmt: skip


def _fit_row(row: FitRow) -> dict[str, object]:
    """One row that says "fits" or "out of memory", GiB; null where nothing was predicted or the card is not known."""
    return {
        "id": row.id, "fits_measured": row.fits_measured, "fits_predicted": row.fits_predicted,
        "predicted": None if row.predicted_bytes is None else row.predicted_bytes / GIB,
        "card": None if row.card_bytes is None else row.card_bytes / GIB, "reason": row.reason or None,
    }  # fmt: skip


def _tell(found: Validation, instrument: str, speed_model: str) -> Iterable[Block]:
    used = found.rows - len(found.skipped)
    yield Title(f"{instrument} against {found.rows:,} measured rows: {used:,} used, {len(found.skipped):,} skipped")
    yield Paragraph(LEGEND)
    for quantity in ("memory", "throughput"):
        yield from _quantity(found, quantity, speed_model)
    yield from _fits(found)
    yield from reasons_told("Skipped rows", [(place_of(row), row.reason) for row in found.skipped])
    yield from reasons_told("Rows without a prediction",
                            [(f"row {id}", f"{what}: {why}") for id, what, why in found.unpredicted])
    yield from defaults_told(found.assumptions, "Defaults and habits used",
                             "What a row does not say was taken so; each widens the interval by its other value's difference.")


def _quantity(found: Validation, quantity: Quantity, speed_model: str) -> Iterable[Block]:
    place = 0 if quantity == "memory" else 1
    overall = found.memory if quantity == "memory" else found.throughput
    yield Heading(f"{'Memory' if place == 0 else 'Throughput'} ({UNITS[quantity]})")
    if place == 1 and overall.n:
        yield Paragraph(speed_model)
    rows = [Row(statistics_cells("all, kind stated" if place == 0 else "all", overall), strong=True)]
    for group, blocks in found.by.items():
        if group == "kind" and place == 1:
            continue
        shown = [(name, pair[place]) for name, pair in blocks.items() if pair[place].eligible]
        rows += [Row((f"by {NAMES[group]}",), strong=True)] if shown else []
        rows += [Row(statistics_cells(f"  {name}", block))
                 for name, block in sorted(shown, key=lambda x: -x[1].eligible) if block.n]
        bare = [name for name, block in shown if not block.n]
        rows += [Row((f"  {len(bare)} more without a prediction",))] if bare else []
    if place == 0 and found.second:
        rows.append(Row(("second figures of the same rows",), strong=True))
        rows += [Row(statistics_cells(f"  {kind}", block)) for kind, block in found.second.items()]
    yield Table(HEADS, tuple(rows))
    worst = sorted((s for s in found.scores if s.quantity == quantity), key=lambda s: -abs(s.error))[:WORST]
    if worst:
        yield Heading(f"Largest errors, {quantity}")
        yield Table(("row", "measured", "predicted", "5-95%", "error"), tuple(Row(_largest_error(s)) for s in worst))


def statistics_cells(name: str, block: ErrorBlock) -> tuple[str, ...]:
    """The cells of one row under HEADS: a name of at most 30 characters, and the statistics of its errors."""
    figures = (block.mape, block.median_ape, block.bias, block.p90, block.coverage90)
    signs = ("", "", "+", "", "")
    shown = ("-" if x is None else percent(x, sign, 0 if k == 4 else 1)
             for k, (x, sign) in enumerate(zip(figures, signs, strict=True)))
    return (name[:30], str(block.n), str(block.eligible), *shown)


def percent(value: float, sign: str, places: int = 1) -> str:
    """A percentage of at most seven characters; from 10,000 on its order of magnitude alone."""
    return f"{value:{sign}.{places}f}" if abs(value) < 1e4 else f"{value:{sign}.0e}"


def _largest_error(score: Score) -> tuple[str, ...]:
    scale, places = SCALE[score.quantity], 2 if score.quantity == "memory" else 0
    low, high = f"{score.low / scale:,.{places}f}", f"{score.high / scale:,.{places}f}"
    return (f"{score.label.id} {score.label.method}", f"{score.measured / scale:,.{places}f}",
            f"{score.predicted / scale:,.{places}f}", f"{low}-{high}", f"{score.error:+.1f}")


def _fits(found: Validation) -> Iterable[Block]:
    f = found.fits
    if not f.failed + f.ran:
        return
    yield Heading("Does it fit")
    yield Bullets((
        f"out-of-memory rows predicted not to fit: {f.failed_right} of {f.failed}",
        f"rows that ran predicted to fit (cards of the catalog): {f.ran_right} of {f.ran}",
    ))
    wrong = [row for row in found.fit_rows if row.fits_predicted is not None and row.fits_predicted != row.fits_measured]
    if wrong:
        yield Paragraph("Wrong, of the rows that state no figure: " + "; ".join(
            f"{row.id} {'ran' if row.fits_measured else 'did not fit'}, predicted {(row.predicted_bytes or 0.0) / GIB:.1f} of"
            f" {(row.card_bytes or 0.0) / GIB:.1f} GiB" for row in wrong))


def defaults_told(found: Iterable[tuple[str, int]], title: str, words: str) -> Iterable[Block]:
    """What was taken where a row does not say it, and for how many rows; nothing where every row says all."""
    rows = tuple(Row((name, str(count))) for name, count in found)
    if rows:
        yield from (Heading(title), Paragraph(words), Table(("taken", "rows"), rows))


def place_of(row: SkippedRow) -> str:
    """Line and id of a skipped row."""
    return f"line {row.line}, row {row.id!r}"


def reasons_told(title: str, reasons: Sequence[tuple[str, str]]) -> Iterable[Block]:
    """The reasons without their values, each with its rows: all where they are few, else the first and some values.

    `reasons` are (where the row stands, why).
    """
    if not reasons:
        return
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for place, reason in reasons:
        value = re.search(r": ('.*?'|\".*?\"); ", reason)
        why = reason if value is None else f"{reason[:value.start()]}: {reason[value.end():]}"
        why = re.sub(r"; nearest: .*| \(nearest: .*\)", "", why)
        why = re.sub(r" trains [\d,]+", " trains another number", why)
        cell = "" if value is None else "(blank)" if value.group(1) == "''" else value.group(1)
        groups[why].append((place, cell))
    rows = []
    for why, found in sorted(groups.items(), key=lambda x: -len(x[1])):
        values = [value for _, value in found]
        if len(found) <= FEW:
            told = "; ".join(place + (f": {value[:60]}" if value else "") for place, value in found)
            rows.append(f"{len(found)}: {why} ({told})")
            continue
        distinct = [value for value in dict.fromkeys(values) if value]
        more = f" and {len(distinct) - 3} more" if len(distinct) > 3 else ""
        shown = f"; {', '.join(x[:60] for x in distinct[:3])}{more}" if distinct else ""
        rows.append(f"{len(values)}: {why} (first: {found[0][0]}{shown})")
    yield Heading(f"{title}: {len(reasons)}")
    yield Bullets(tuple(rows))
