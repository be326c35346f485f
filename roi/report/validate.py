"""How `roi validate` is told, for a table of training runs or of serving runs: on a terminal, as Markdown, or as JSON."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from roi.estimate.accuracy.error_blocks import ErrorBlock, RowScore
from roi.estimate.accuracy.serving_errors import QUANTITIES, ServingQuantity, ServingScore, ServingValidation
from roi.estimate.accuracy.training_errors import Quantity, Score, Validation
from roi.report.layout.blocks import Block, Bullets, Heading, Paragraph, Row, Table, Title
from roi.report.layout.skipped_rows import place_of, reason_lines, reasons_told
from roi.report.layout.wording import from_to, number_of
from roi.units import GIB, formatted

SCHEMA = "roi.validation/1"
UNITS = {"memory": "GiB", "throughput": "tokens/s"}
SERVING_UNITS = {"throughput": "tokens/s as stated (output, else all; else requests/s)", "tpot": "ms", "ttft": "ms"}
SCALE = {"memory": 1.0 / GIB, "throughput": 1.0, "tpot": 1e3, "ttft": 1e3}
"""What a figure in SI units is multiplied with."""
TITLES: dict[ServingQuantity, str] = {"throughput": "Throughput", "tpot": "TPOT", "ttft": "TTFT"}
WORST = 10
"""The most rows in a list of largest errors."""
NONE = asdict(ErrorBlock(0, 0))
"""What the JSON holds for a figure that no row of such a table states: TPOT and TTFT of training, memory of serving."""
LEGEND = ("Errors are 100 (predicted / measured - 1), percent; p90 is of their size. n of: rows predicted, of those that"
          " state the figure. in 90%: measurements inside the 5-95% interval, percent. Predictions are those of published runs:"
          " what you measured yourself (profiles, rows of calibrate --add) is not in them; roi fit and roi size use it.")
HEADS = ("", "n", "of", "MAPE", "median", "bias", "p90", "in 90%")
NAMES = {"source": "source", "method": "method", "gpu": "GPU", "kind": "memory kind", "engine": "engine",
         "group": "GPU and engine"}
MADE_OF = {
    "all": "not derived, not implausible", "derived": "derived", "implausible": "implausible",
    "by source, gpu, engine": "as all, of that name", "by group": "as all, of that GPU and engine",
    "n": "number of them", "mape": "mean of |error|", "median_ape": "median of |error|", "bias": "mean of error",
    "p90": "90th percentile of |error|, interpolated linearly", "coverage90": "percent with low <= measured <= high",
}
"""Which predictions each figure of the JSON of serving runs is made of, by their flags."""
PUBLISHED = ("The efficiencies that come with roi were fitted on published runs (docs/accuracy.md names them): rows of those"
             " are not left out here.")
"""What the predictions of serving runs by `roi validate` were fitted on."""
FORM = re.compile(r"(GB)?(-SXM|-PCIe)?$")
"""What a card's name ends with besides its memory."""

S = TypeVar("S", bound=RowScore[Any, Any])  # Any: labels of training runs or of serving runs


def validation_json(found: Validation, instrument: str, speed_model: str) -> str:
    """The answer as JSON: errors in percent, memory in GiB as tables have it; null where no row was predicted."""
    return _json(found, instrument, UNITS, {
        "memory": asdict(found.memory), "throughput": asdict(found.throughput), "tpot": NONE, "ttft": NONE,
        "by": {
            group: {name: {"memory": asdict(memory), "throughput": asdict(speed)} for name, (memory, speed) in blocks.items()}
            for group, blocks in found.by.items()
        },
        "second": _blocks(found.second),
        "second_predictions": [{**_prediction(score), "kind": kind} for kind, score in found.second_scores],
        "fits": found.fits._asdict(), "fit_rows": [
            {"id": row.id, "fits_measured": row.fits_measured, "fits_predicted": row.fits_predicted,
             "predicted": None if row.predicted_bytes is None else row.predicted_bytes / GIB,
             "card": None if row.card_bytes is None else row.card_bytes / GIB, "reason": row.reason or None}
            for row in found.fit_rows],
        "speed_model": speed_model,
        "predictions": [_prediction(score) for score in found.scores],
    }, [{"id": id, "quantity": what, "reason": reason} for id, what, reason in found.unpredicted])


def serving_validation_json(found: ServingValidation) -> str:
    """The validation of serving runs as JSON text, with the keys of a table of training runs where they mean the same."""
    return _json(found, "serving", SERVING_UNITS, {
        "memory": NONE, **_blocks(found.blocks),
        "derived": {"throughput": {**asdict(found.derived), "how": "Little's law on stated TTFT and TPOT"}},
        "implausible": _blocks(found.implausible),
        "why_implausible": [{"id": id, "reason": reason} for id, reason in found.why_implausible],
        "by": {group: {name: {"memory": NONE, **_blocks(blocks)} for name, blocks in some.items()}
               for group, some in found.by.items()},
        "bases": found.bases, "made_of": MADE_OF,
        "predictions": [
            {**_prediction(score), "source": score.label.source, "gpu": score.label.gpu, "engine": score.label.engine,
             "model": score.label.model, "basis": score.basis, "derived": score.derived, "implausible": score.label.implausible}
            for score in (*found.scores, *found.apart)],
    }, [{"id": id, "reason": reason} for id, reason in found.unpredicted])


def _json(found: Validation | ServingValidation, instrument: str, units: Mapping[str, str], figures: Mapping[str, object],
          unpredicted: list[dict[str, str]]) -> str:
    """The JSON of either kind of table: `figures`, with what stands before and after them in both."""
    return json.dumps({
        "schema": SCHEMA, "instrument": instrument,
        "units": {**units, "errors": "percent, 100 (predicted / measured - 1)",
                  "coverage90": "percent of measurements from low to high"},
        "rows": found.rows, **figures,
        "skipped": [{"id": row.id, "line": row.line, "reason": row.reason} for row in found.skipped],
        "not_predicted": unpredicted,
        "assumptions": [{"default": name, "rows": rows} for name, rows in found.assumptions],
    }, indent=1, allow_nan=False)


def _blocks(blocks: Mapping[Any, ErrorBlock]) -> dict[str, dict[str, object]]:  # Any: a quantity or a memory kind, all strings
    return {name: asdict(block) for name, block in blocks.items()}


def _prediction(score: RowScore[Any, Any]) -> dict[str, object]:  # Any: both kinds of rows have an id
    scale = SCALE[score.quantity]
    return {"id": score.label.id, "quantity": score.quantity, "measured": score.measured * scale,
            "predicted": score.predicted * scale, "low": score.low * scale, "high": score.high * scale}


def validation_blocks(found: Validation, instrument: str, speed_model: str) -> Iterable[Block]:
    """The parts of the report."""
    used = found.rows - len(found.skipped)
    return (
        Title(f"{instrument} against {found.rows:,} measured rows: {used:,} used, {len(found.skipped):,} skipped"),
        Paragraph(LEGEND), *_quantity(found, "memory", found.memory),
        *_quantity(found, "throughput", found.throughput, speed_model), *_fits(found),
        *reasons_told("Skipped rows", [(place_of(row), row.reason) for row in found.skipped]),
        *reasons_told("Rows without a prediction", [(f"row {id}", f"{what}: {why}") for id, what, why in found.unpredicted]),
        *_defaults(found.assumptions, "Defaults and habits used",
                   "What a row does not say was taken so; each widens the interval by its other value's difference."),
    )


def serving_validation_blocks(found: ServingValidation) -> Iterable[Block]:
    """The parts of the report."""
    used = found.rows - len(found.skipped) - len(found.unpredicted)
    apart = tuple(_statistics(TITLES[name], block) for name, block in found.implausible.items() if block.n)
    whys = reason_lines((f"row {id}", why) for id, why in found.why_implausible)
    more = (f"{number_of(len(whys) - WORST, 'more reason')}: --format json has them by row",) if len(whys) > WORST else ()
    named = Heading(f"Rows in no other figure: {len(found.why_implausible)}"), Bullets((*whys[:WORST], *more))
    bases = sorted(found.bases.items(), key=lambda x: -x[1])
    return (
        Title(f"serving model against {found.rows:,} measured rows: {used:,} used, {found.rows - used:,} skipped"),
        Paragraph(LEGEND), Paragraph(PUBLISHED),
        *(block for quantity in QUANTITIES for block in _serving_quantity(found, quantity)),
        *((*named, Table(HEADS, apart)) if apart else ()),
        *reasons_told("Skipped rows", [(place_of(row), row.reason) for row in found.skipped]),
        *reasons_told("Rows without a prediction", [(f"row {id}", why) for id, why in found.unpredicted]),
        *_defaults(found.assumptions, "Defaults used", "What a row does not say was taken so; each widens the interval."),
        Heading("What the predictions rest on"),
        Table(("fit, and what the interval left out of it", "rows"), tuple(Row((name, str(rows))) for name, rows in bases)),
    )


def _quantity(found: Validation, quantity: Quantity, overall: ErrorBlock, speed_model: str = "") -> Iterable[Block]:
    memory = quantity == "memory"
    yield Heading(f"{quantity.capitalize()} ({UNITS[quantity]})")
    if speed_model and overall.n:
        yield Paragraph(speed_model)
    rows = [_statistics("all, kind stated" if memory else "all", overall, strong=True)]
    for group, blocks in found.by.items():
        if memory or group != "kind":
            rows += _group(group, {name: pair[0 if memory else 1] for name, pair in blocks.items()})
    if memory and found.second:
        rows.append(Row(("second figures of the same rows",), strong=True))
        rows += [_statistics(f"  {kind}", block) for kind, block in found.second.items()]
    yield Table(HEADS, tuple(rows))
    yield from _largest_errors(found.scores, quantity, quantity, _error_cells)


def _serving_quantity(found: ServingValidation, quantity: ServingQuantity) -> Iterable[Block]:
    if not found.blocks[quantity].eligible and not any(b[quantity].eligible for b in found.by["group"].values()):
        return
    unit = "as the row states it" if quantity == "throughput" else SERVING_UNITS[quantity]
    yield Heading(f"{TITLES[quantity]} ({unit})")
    rows = [_statistics("all", found.blocks[quantity], strong=True)]
    if quantity == "throughput" and found.derived.n:
        rows.append(_statistics("derived from TTFT and TPOT", found.derived))
    for group, blocks in found.by.items():
        rows += _group(group, {name: block[quantity] for name, block in blocks.items()}, serving=True)
    yield Table(HEADS, tuple(rows))
    yield from _largest_errors(found.scores, quantity, TITLES[quantity], _serving_error_cells)


def _group(group: str, blocks: Mapping[str, ErrorBlock], *, serving: bool = False) -> list[Row]:
    """The rows of one of the ways to split a table; training runs without a prediction are counted, not named."""
    stated = sorted(((name, block) for name, block in blocks.items() if block.eligible), key=lambda x: -x[1].eligible)
    shown = [(name, block) for name, block in stated if serving or block.n]
    rows = [Row((f"by {NAMES[group]}",), strong=True)] if stated else []
    rows += [_statistics(f"  {_short(name) if serving else name}", block) for name, block in shown]
    bare = len(stated) - len(shown)
    return [*rows, Row((f"  {bare} more without a prediction",))] if bare else rows


def _short(name: str) -> str:
    """The card and the engine, without the card's form: A100-40 vllm-2024."""
    card, _, engine = name.partition(" ")
    return f"{FORM.sub('', card)} {engine}" if engine else name


def _statistics(name: str, block: ErrorBlock, *, strong: bool = False) -> Row:
    """One row under HEADS: a name of at most 30 characters, and the statistics of its errors."""
    figures = ((block.mape, ""), (block.median_ape, ""), (block.bias, "+"), (block.p90, ""))
    shown = ["-" if x is None else _percent(x, sign) for x, sign in figures]
    shown.append("-" if block.coverage90 is None else f"{block.coverage90:.0f}")
    return Row((name[:30], str(block.n), str(block.eligible), *shown), strong=strong)


def _percent(value: float, sign: str) -> str:
    """A percentage of at most seven characters; from 10,000 on its order of magnitude alone."""
    return formatted(value, f"{sign}.1f" if abs(value) < 1e4 else f"{sign}.0e")


def _largest_errors(scores: Iterable[S], quantity: str, title: str, cells: Callable[[S], tuple[str, ...]]) -> Iterable[Block]:
    worst = sorted((s for s in scores if s.quantity == quantity), key=lambda s: -abs(s.error))[:WORST]
    if worst:
        yield Heading(f"Largest errors, {title}")
        yield Table(("row", "measured", "predicted", "5-95%", "error"), tuple(Row(cells(s)) for s in worst))


def _error_cells(score: Score) -> tuple[str, ...]:
    form = ",.2f" if score.quantity == "memory" else ",.0f"
    return (f"{score.label.id} {score.label.method}", *_figures(score, form), formatted(score.error, "+.1f"))


def _serving_error_cells(score: ServingScore) -> tuple[str, ...]:
    most = max(score.measured, score.predicted) * SCALE[score.quantity]
    form = ",.2f" if most < 100.0 else ",.0f" if most < 1e9 else ".2e"
    return (score.label.id, *_figures(score, form), _percent(score.error, "+"))


def _figures(score: RowScore[Any, Any], form: str) -> tuple[str, str, str]:  # Any: labels do not matter here
    values = (score.measured, score.predicted, score.low, score.high)
    measured, predicted, low, high = (f"{x * SCALE[score.quantity]:{form}}" for x in values)
    return measured, predicted, from_to(low, high, "-")


def _fits(found: Validation) -> Iterable[Block]:
    f = found.fits
    if not f.failed + f.ran:
        return
    yield Heading("Does it fit")
    yield Bullets((f"out-of-memory rows predicted not to fit: {f.failed_right} of {f.failed}",
                   f"rows that ran predicted to fit (cards of the catalog): {f.ran_right} of {f.ran}"))
    wrong = [row for row in found.fit_rows if row.fits_predicted is not None and row.fits_predicted != row.fits_measured]
    if wrong:
        yield Paragraph("Wrong, of the rows that state no figure: " + "; ".join(
            f"{row.id} {'ran' if row.fits_measured else 'did not fit'}, predicted {(row.predicted_bytes or 0.0) / GIB:.1f} of"
            f" {(row.card_bytes or 0.0) / GIB:.1f} GiB" for row in wrong))


def _defaults(found: Iterable[tuple[str, int]], title: str, words: str) -> Iterable[Block]:
    """What was taken where a row does not say it, and for how many rows; nothing where every row says all."""
    rows = tuple(Row((name, str(count))) for name, count in found)
    if rows:
        yield from (Heading(title), Paragraph(words), Table(("taken", "rows"), rows))
