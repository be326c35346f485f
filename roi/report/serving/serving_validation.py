"""How `roi validate` is told for a table of serving runs: on a terminal, as Markdown, or as JSON."""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict

from roi.estimate.accuracy.serving_errors import QUANTITIES, Blocks, ServingQuantity, ServingScore, ServingValidation
from roi.report.layout.blocks import Block, Heading, Paragraph, Row, Table, Title
from roi.report.layout.render import render
from roi.report.training.training_validation import (
    HEADS,
    LEGEND,
    NONE,
    WORST,
    defaults_told,
    json_head,
    percent,
    reasons_told,
    statistics_cells,
)

INSTRUMENT = "serving"
UNITS = {"throughput": "tokens/s as stated (output, else all; else requests/s)", "tpot": "ms", "ttft": "ms"}
SCALE: dict[ServingQuantity, float] = {"throughput": 1.0, "tpot": 1e3, "ttft": 1e3}
TITLES: dict[ServingQuantity, str] = {"throughput": "Throughput", "tpot": "TPOT", "ttft": "TTFT"}
NAMES = {"source": "source", "gpu": "GPU", "engine": "engine", "group": "GPU and engine"}
MADE_OF = {
    "all": "not derived, not implausible", "derived": "derived", "implausible": "implausible",
    "by source, gpu, engine": "as all, of that name", "by group": "as all, of that GPU and engine",
    "n": "number of them", "mape": "mean of |error|", "median_ape": "median of |error|", "bias": "mean of error",
    "p90": "90th percentile of |error|, interpolated linearly", "coverage90": "percent with low <= measured <= high",
}
"""Which predictions each figure of the JSON is made of, by their flags."""

PUBLISHED = (
    "The efficiencies that come with roi were fitted on published runs (docs/accuracy.md names them): rows of those are not"
    " left out here."
)
"""What the predictions of `roi validate` were fitted on."""

FORM = re.compile(r"(GB)?(-SXM|-PCIe)?$")
"""What a card's name ends with besides its memory."""


def serving_validation_json(found: ServingValidation) -> str:
    """The answer as JSON, with the keys of a table of training runs where they mean the same; null for what has no figure."""
    body = {
        **json_head(INSTRUMENT, UNITS, found.rows),
        "memory": asdict(NONE),
        **_blocks(found.blocks),
        "derived": {"throughput": {**asdict(found.derived), "how": "Little's law on stated TTFT and TPOT"}},
        "implausible": _blocks(found.implausible),
        "by": {group: {name: {"memory": asdict(NONE), **_blocks(blocks)} for name, blocks in some.items()}
               for group, some in found.by.items()},
        "bases": found.bases,
        "made_of": MADE_OF,
        "predictions": [_prediction(score) for score in (*found.scores, *found.apart)],
        "skipped": [{"id": row.id, "line": row.line, "reason": row.reason} for row in found.skipped],
        "not_predicted": [{"id": id, "reason": reason} for id, reason in found.unpredicted],
        "assumptions": [{"default": name, "rows": rows} for name, rows in found.assumptions],
    }
    return json.dumps(body, indent=1, allow_nan=False)


def serving_validation_text(found: ServingValidation, form: str = "table", evidence: str = PUBLISHED) -> str:
    """The report in a form of `--format`: "table", no line longer than 80 columns, or "markdown".

    `evidence` says what the predictions were fitted on.
    """
    return render(_tell(found, evidence), form)


def _blocks(blocks: Blocks) -> dict[str, dict[str, object]]:
    return {name: asdict(block) for name, block in blocks.items()}


def _prediction(score: ServingScore) -> dict[str, object]:
    scale, label = SCALE[score.quantity], score.label
    return {
        "id": label.id, "quantity": score.quantity, "measured": score.measured * scale, "predicted": score.predicted * scale,
        "low": score.low * scale, "high": score.high * scale, "source": label.source, "gpu": label.gpu, "engine": label.engine,
        "model": label.model, "basis": score.basis, "derived": score.derived, "implausible": label.implausible,
    }  # fmt: skip


def _tell(found: ServingValidation, evidence: str) -> Iterable[Block]:
    used = found.rows - len(found.skipped) - len(found.unpredicted)
    yield Title(f"serving model against {found.rows:,} measured rows: {used:,} used, {found.rows - used:,} skipped")
    yield Paragraph(LEGEND)
    yield Paragraph(evidence)
    for quantity in QUANTITIES:
        yield from _quantity(found, quantity)
    if any(block.n for block in found.implausible.values()):
        yield Heading("Rows in no other figure")
        yield Paragraph("Marked implausible, or by their own figures against Little's law or five times beyond the roofline.")
        yield Table(HEADS, tuple(Row(statistics_cells(TITLES[name], block)) for name, block in found.implausible.items()
                                 if block.n))
    yield from reasons_told("Skipped rows", [(row.id, row.reason) for row in found.skipped])
    yield from reasons_told("Rows without a prediction", list(found.unpredicted))
    yield from defaults_told(found.assumptions, "Defaults used",
                             "What a row does not say was taken so; each widens the interval.")
    yield Heading("What the predictions rest on")
    yield Table(("fit, and what the interval left out of it", "rows"),
                tuple(Row((name, str(rows))) for name, rows in sorted(found.bases.items(), key=lambda x: -x[1])))


def _quantity(found: ServingValidation, quantity: ServingQuantity) -> Iterable[Block]:
    if not found.blocks[quantity].eligible and not any(b[quantity].eligible for b in found.by["group"].values()):
        return
    unit = "as the row states it" if quantity == "throughput" else UNITS[quantity]
    yield Heading(f"{TITLES[quantity]} ({unit})")
    rows = [Row(statistics_cells("all", found.blocks[quantity]), strong=True)]
    if quantity == "throughput" and found.derived.n:
        rows.append(Row(statistics_cells("derived from TTFT and TPOT", found.derived)))
    for group, blocks in found.by.items():
        shown = [(name, block[quantity]) for name, block in blocks.items() if block[quantity].eligible]
        rows += [Row((f"by {NAMES[group]}",), strong=True)] if shown else []
        rows += [Row(statistics_cells(f"  {_short(name)}", block))
                 for name, block in sorted(shown, key=lambda x: -x[1].eligible)]
    yield Table(HEADS, tuple(rows))
    worst = sorted((s for s in found.scores if s.quantity == quantity), key=lambda s: -abs(s.error))[:WORST]
    if worst:
        yield Heading(f"Largest errors, {TITLES[quantity]}")
        yield Table(("row", "measured", "predicted", "5-95%", "error"), tuple(Row(_worst(s)) for s in worst))


def _short(name: str) -> str:
    """The card and the engine, without the card's form: A100-40 vllm-2024."""
    card, _, engine = name.partition(" ")
    return f"{FORM.sub('', card)} {engine}" if engine else name


def _worst(score: ServingScore) -> tuple[str, ...]:
    scale = SCALE[score.quantity]
    measured, predicted, low, high = (x * scale for x in (score.measured, score.predicted, score.low, score.high))
    most = max(measured, predicted)
    form = ",.2f" if most < 100.0 else ",.0f" if most < 1e9 else ".2e"
    ends = f"{low:{form}}-{high:{form}}"
    return (score.label.id, f"{measured:{form}}", f"{predicted:{form}}", ends, percent(score.error, "+"))
