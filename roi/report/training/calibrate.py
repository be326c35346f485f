"""How `roi calibrate` is told: on a terminal, as Markdown, or as JSON."""

import json
from collections.abc import Iterable
from dataclasses import asdict

import numpy as np

from roi.estimate.accuracy.training_left_out import Calibration, LeftOut
from roi.estimate.step.calibration import GroupFit, TimedRun, half_width
from roi.report.layout.blocks import Block, Bullets, Heading, Paragraph, Row, Table, Title
from roi.report.layout.skipped_rows import Skipped, skipped_json, skipped_told
from roi.report.layout.wording import from_to, number_of
from roi.units import formatted

SCHEMA = "roi.calibration-report/1"
LARGEST = 12
"""The most runs that are shown with their residuals; the JSON has all of them."""
USUAL_SCATTER = 0.15
"""Standard deviation of the logarithm of a run's speed within a group, where no group has three runs to show its own."""
GROUP_HEADS = ("GPU, source", "n", "scale", "5-95%", "left out", "from 3", "first 3")
IN_HEADS = ("shares with it", "n", "without: in 90%", "ends over", "with: in 90%", "ends over")
LEFT_HEADS = ("left out", "n", "median error", "measured/predicted 5-95%", "in 90%")


def calibration_json(found: Calibration, skipped: Skipped, untimed: int) -> str:
    """The answer as JSON: seconds, ratios, errors in percent; null where a group is too small.

    `untimed` counts the runs that say nothing of the speed.
    """
    return json.dumps({
        "schema": SCHEMA,
        "units": {"overall": "roofline time / measured time", "errors": "percent, |predicted / measured - 1|",
                  "seconds": "of one micro-step, its share of the optimizer step included"},
        "pairs": [asdict(fit) for fit in found.pairs], "groups": [asdict(fit) for fit in found.groups],
        "after_profile": {name: None if block is None else asdict(block) for name, block in found.after_profile.items()},
        "run_left_out": None if found.run_left_out is None else asdict(found.run_left_out),
        "source_left_out": {name: asdict(block) for name, block in found.source_left_out.items()},
        "gpu_left_out": {name: asdict(block) for name, block in found.gpu_left_out.items()},
        "profile_left_in": {name: asdict(block) for name, block in found.profile_left_in.items()},
        "runs": [{**asdict(run), "scaled_s": scaled, "residual": 100.0 * (scaled / run.measured_s - 1.0)}
                 for run, scaled in _scaled(found)],
        "skipped": skipped_json(skipped), "untimed": untimed,
    }, indent=1, allow_nan=False)


def calibration_blocks(found: Calibration, skipped: Skipped, untimed: int) -> Iterable[Block]:
    """The parts of the report."""
    rows = [] if found.run_left_out is None else [_left_out("a run, by its group", found.run_left_out, strong=True)]
    for what, blocks in (("source", found.source_left_out), ("GPU", found.gpu_left_out)):
        rows += [_left_out(f"a {what}, by the others", blocks["all"], strong=True)] if "all" in blocks else []
        rows += [_left_out(f"  {name}", block) for name, block in blocks.items() if name != "all"]
    largest = sorted(_scaled(found), key=lambda pair: -abs(np.log(pair[1] / pair[0].measured_s)))[:LARGEST]
    return (
        Title(f"Training speed against the roofline: {number_of(len(found.runs), 'run')},"
              f" {number_of(len(found.pairs), 'pair')} of source and GPU"),
        *_not_compared(len(skipped), untimed),
        Paragraph(
            "scale: roofline time over measured time, median of the runs, with the interval of one more run. left out: median"
            " error of a run from the others' scale. from 3: of the rest from three runs' scale, averaged over the choices;"
            " first 3: from the first three. Percent. A GPU and source with several layouts has a line for each below."),
        Table(GROUP_HEADS, tuple(_group_rows(found))),
        Bullets(tuple(
            (f"after one profile, {name}: {block.quartiles:.1f}% median error of the {block.n} runs that it has not seen, one"
             f" scale from the three at the quartiles of the roofline's step time; {block.any_three:.1f}% from any three")
            for name, block in found.after_profile.items() if block is not None)),
        *((Heading("Left out in turn"), Table(LEFT_HEADS, tuple(rows))) if rows else ()),
        *((Heading("With a profile, the rest of its source on its card"), Table(IN_HEADS, tuple(
            Row((name, str(b.n), f"{b.coverage_before:.0f}%", f"{b.factor_before:.2f}", f"{b.coverage:.0f}%",
                 f"{b.factor:.2f}")) for name, b in found.profile_left_in.items()))) if found.profile_left_in else ()),
        Heading("Largest residuals beside theory"),
        Table(("run", "measured s", "theory s", "scaled s", "error"), tuple(
            Row((f"{run.id} {run.method}"[:28], f"{run.measured_s:.3f}", f"{run.theory_s:.3f}", f"{scaled:.3f}",
                 formatted(scaled / run.measured_s - 1.0, "+.0%"))) for run, scaled in largest)),
        Bullets(("theory: the roofline at scale 1. scaled: at the scale of the run's GPU, source and layout.",)),
        *skipped_told("Skipped rows", skipped),
    )


def _not_compared(skipped: int, untimed: int) -> Iterable[Block]:
    """How many rows could not be used, and how many runs say nothing of the speed."""
    if skipped:
        rows = "1 row of the tables was" if skipped == 1 else f"{skipped:,} rows of the tables were"
        yield Paragraph(f"{rows} skipped; the reasons stand at the end.")
    if untimed:
        yield Paragraph(f"{untimed:,} {'run is' if untimed == 1 else 'runs are'} not compared: no card of the catalog, no mean"
                        " length (seq_len_mean), no speed, layers split over GPUs, or a tuner other than LoRA.")


def _group_rows(found: Calibration) -> Iterable[Row]:
    scatters = [fit.log_scatter for fit in found.groups if fit.n >= 3]
    within = float(np.median(scatters)) if scatters else USUAL_SCATTER
    for pair in sorted(found.pairs, key=lambda fit: (fit.gpu, fit.source)):
        yield Row(_group_cells(f"{pair.gpu} {pair.source}", pair, within))
        inside = [fit for fit in found.groups if (fit.gpu, fit.source) == (pair.gpu, pair.source)]
        for fit in inside if len(inside) > 1 else ():
            yield Row(_group_cells(f"  {fit.layout}", fit, within))


def _group_cells(name: str, fit: GroupFit, within: float) -> tuple[str, ...]:
    half = half_width(fit.n, fit.n * fit.log_scatter**2, within)
    errors = ("-" if x is None else f"{x:.1f}" for x in (fit.left_out, fit.from_three, fit.from_first_three))
    return (name[:30], str(fit.n), f"{fit.overall:.2f}",
            from_to(f"{fit.overall * np.exp(-half):.2f}", f"{fit.overall * np.exp(half):.2f}", "-"), *errors)


def _left_out(name: str, block: LeftOut, *, strong: bool = False) -> Row:
    return Row((name[:30], str(block.n), f"{block.median_error:.1f}%",
                from_to(f"{block.low_ratio:.2f}", f"{block.high_ratio:.2f}"), f"{block.coverage:.0f}%"), strong=strong)


def _scaled(found: Calibration) -> list[tuple[TimedRun, float]]:
    """Each run with the roofline's time at its group's scale."""
    scales = {(fit.gpu, fit.source, fit.layout): fit.overall for fit in found.groups}
    return [(run, run.theory_s / scales[run.gpu, run.source, run.layout]) for run in found.runs]
