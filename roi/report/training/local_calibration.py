"""How `roi calibrate --local` is told: what was measured, which spreads shrank, whether the verdict moved."""

import json
from collections.abc import Iterable
from dataclasses import asdict

from roi import __version__
from roi.answers.calibrate_local import SAME, LocalCalibration
from roi.facts.fact import Fact
from roi.report.comparison.findings import experiment_name
from roi.report.layout.blocks import Block, Bullets, Heading, Paragraph, Row, Table, Title
from roi.report.layout.wording import fact_name, figure, from_to, usd

SCHEMA = "roi.local-calibration/1"


def local_blocks(found: LocalCalibration) -> Iterable[Block]:
    """The parts of the report."""
    before, after = found.before.verdict, found.after.verdict
    rows = tuple(Row((f"{one.model}, {one.plan.method}", f"{one.minutes:.1f}", usd(max(one.experiment.worth_usd, 0.0)),
                      usd(one.experiment.evppi_usd))) for one, _ in found.done)
    return (
        Title(f"{found.before.case['title'].value}: measured on this machine"),
        Table(("trial run", "minutes", "worth", "at most"), rows),
        Bullets(tuple(f"kept as {file}" for _, file in found.done)),
        Heading("Spreads, 5 to 95%"),
        Table(("fact", "before", "after"), tuple(
            Row((fact_name(m.path), _spread(m.before), _spread(m.after))) for m in found.moved)) if found.moved else
        Paragraph(f"No end of a spread moved by more than {SAME:.0%}."),
        Heading("Verdict"),
        Paragraph("It moved." if found.verdict_moved else "It stands.", strong=True),
        Bullets((f"before: {before.sentence}", f"after: {after.sentence}") if found.verdict_moved else (after.sentence,)),
        *((Heading("Not measured here"), Bullets(tuple(
            f"{experiment_name(found.before.case, one.experiment.kind, one.experiment.option)}, worth"
            f" {usd(max(one.experiment.worth_usd, 0.0))}: {one.why}"
            for one in found.elsewhere))) if found.elsewhere else ()),
        *((Bullets(found.notes),) if found.notes else ()),
    )


def local_json(found: LocalCalibration) -> str:
    """The calibration as JSON text; spreads as [5th, 95th percentile], null where there is none."""
    return json.dumps({
        "schema": SCHEMA, "roi_version": __version__, "title": found.before.case["title"].value,
        "measured": [{"model": one.model, "method": one.plan.method, "minutes": one.minutes, "file": str(file),
                      "experiment": asdict(one.experiment)} for one, file in found.done],
        "moved": [{"fact": m.path, "before": _ends(m.before), "after": _ends(m.after)} for m in found.moved],
        "verdict_moved": found.verdict_moved,
        "before": {"recommended": found.before.verdict.recommended, "sentence": found.before.verdict.sentence},
        "after": {"recommended": found.after.verdict.recommended, "sentence": found.after.verdict.sentence},
        "elsewhere": [{"kind": one.experiment.kind, "option": one.experiment.option, "why": one.why}
                      for one in found.elsewhere],
        "notes": found.notes, "interrupted": found.interrupted,
    }, indent=1, allow_nan=False)


def _spread(fact: Fact | None) -> str:
    ends = _ends(fact)
    return "-" if ends is None else from_to(*map(figure, ends))


def _ends(fact: Fact | None) -> tuple[float, float] | None:
    return None if fact is None or fact.low is None or fact.high is None else (fact.low, fact.high)
