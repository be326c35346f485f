"""How `roi fit` is told as JSON."""

import json
from dataclasses import asdict

from roi.answers.fit import FitReport, GpuLine
from roi.estimate.training.memory import PHASES

SCHEMA = "roi.fit/1"


def fit_json(report: FitReport) -> str:
    """The answer as JSON: bytes, hours, USD; null where a figure was not asked for or no offer gives it."""
    memory, dry, best = report.lines[0].fit.memory, report.dry_run, report.recommended
    run = report.dry if report.lines[0].fit.run_dry else None
    usual, split = report.unquantised, report.sharded
    cheaper = None if usual is None else usual.recommended
    return json.dumps({
        "schema": SCHEMA, "model": report.model.id, "parameters": report.model.parameters,
        "model_note": report.model.note or None, "stored": report.stored or None,
        "method": report.plan.method, "plan": asdict(report.plan),
        "training_set": asdict(report.training_set) if report.training_set else None,
        "trained_parameters": report.trained_parameters,
        "memory": {
            **{name: float(x) for name, x in asdict(memory).items() if name not in ("peak_phase", "phase_bytes")},
            "peak_phase": PHASES[int(memory.peak_phase)],
            "phase_bytes": None if run else dict(zip(PHASES, (float(x) for x in memory.phase_bytes), strict=True)),
            "instrument": "closed form" if run is None else "dry run",
            "source": "roi.estimate.training.memory" if run is None else run.source,
        },
        "dry_run": None if dry is None else dry.model_dump(mode="json", by_alias=True, exclude={"operators"}),
        "unquantised": None if usual is None or cheaper is None else {"method": usual.plan.method, **_gpu_json(cheaper)},
        "sharded": None if split is None else {"sharding": split.plan.sharding, "gpus": [*map(_gpu_json, split.usable)]},
        "recommended": None if best is None else best.fit.gpu.id, "gpus": [_gpu_json(line) for line in report.lines],
    }, indent=1, allow_nan=False)


def _gpu_json(line: GpuLine) -> dict[str, object]:
    fit = line.fit
    hours, usd = line.hours or (None, None, None), line.usd or (None, None, None)
    return {
        "gpu": fit.gpu.id, "memory_bytes": fit.gpu.memory_bytes, "fits": fit.fits, "tight": fit.tight,
        "squeezed": fit.squeezed, "chance": fit.chance, "needed_bytes": fit.needed_bytes,
        "needed_high_bytes": fit.needed_high_bytes, "nearest_tight": fit.nearest.tight,
        "peak_bytes": float(fit.memory.process_bytes), "low_bytes": fit.low_bytes, "high_bytes": fit.high_bytes,
        "binds": fit.binds, "nearest": fit.nearest.name or None, "nearest_bytes": fit.nearest.process_bytes or None,
        "largest_micro_batch": fit.largest_micro_batch, "longest_seq_tokens": fit.longest_seq, "limits_run": fit.limits_run,
        "tokens_per_s": line.tokens_per_s, "tokens_per_s_low": line.tokens_per_s_range[0],
        "tokens_per_s_high": line.tokens_per_s_range[1], "speed_evidence": line.evidence.level, "speed_runs": line.evidence.n,
        "speed_before": line.evidence.before, "speed_pieces": [asdict(piece) for piece in line.evidence.pieces],
        "speed_sources": line.evidence.sources,
        "speed_left_out": line.evidence.record and dict(zip(("rows", "inside_percent"), line.evidence.record, strict=True)),
        "mfu_ceiling": line.ceiling and dict(zip(("share", "profile"), line.ceiling, strict=True)),
        "link_share": line.link_share, "link_bytes_per_s": line.link_bytes_per_s,
        "hours": hours[0], "hours_low": hours[1], "hours_high": hours[2], "usd": usd[0], "usd_low": usd[1], "usd_high": usd[2],
        "usd_per_mtok": line.usd_per_mtok, "paid_gpus": line.paid_gpus,
        "offer": line.offer.model_dump(mode="json") if line.offer else None, "note": line.note or None,
    }
