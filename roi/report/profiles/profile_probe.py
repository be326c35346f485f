"""How `roi profile probe` is told: one line a question, on a terminal or as JSON."""

import json
from pathlib import Path

from roi.facts.environment import ProbeAnswers
from roi.facts.gpu import Gpu
from roi.facts.profiles import ProbeProfile
from roi.report.layout.blocks import Row, Table
from roi.report.profiles.shared_remarks import kept_blocks, profile_text
from roi.units import GIB, MIB

SCHEMA = "roi.probe/1"


def probe_text(profile: ProbeProfile, _: Gpu | None, path: Path | None = None) -> str:
    """The report for a terminal, no line wider than 80 columns but the one with the file's name."""
    e = profile.environment
    facts = [e.gpu_name or e.device, f"driver {e.driver or '?'}", f"torch {e.versions.get('torch', '?')}",
             f"cuDNN {e.cudnn or '?'}"]
    rows = tuple(Row(pair) for pair in probe_rows(profile.answers))
    missing = [f"{name.replace('_', ' ')}: no answer ({why})" for name, why in profile.answers.failed.items()]
    return profile_text([", ".join(facts)], [Table(("question", "answer"), rows, align="ll")],
                        [*missing, *profile.notes], kept_blocks(path))


def probe_json(profile: ProbeProfile, _: Gpu | None, path: Path | None = None) -> str:
    """The profile as JSON text, SI units."""
    return json.dumps({
        "schema": SCHEMA, "started": profile.started.isoformat(), "complete": profile.complete,
        "environment": profile.environment.model_dump(mode="json"), "answers": profile.answers.model_dump(mode="json"),
        "notes": profile.notes, "file": str(path) if path else None,
    }, indent=1, allow_nan=False)


def probe_rows(a: ProbeAnswers) -> list[tuple[str, str]]:
    """(question, answer) of what has an answer."""
    told: list[tuple[str, str | None]] = [
        ("context opened by imports", None if a.context_by_imports is None else "yes" if a.context_by_imports else "no"),
        ("context beside torch's memory", _text(a.context_bytes, GIB, "GiB")),
        ("cuBLAS workspace", _text(a.workspace_bytes, MIB, "MiB")),
        *((f"attention, {case}", kernel) for case, kernel in a.attention.items()),
        ("buffers of its backward, over the rule", _text(a.hidden_ratio, 1.0, "")),
        ("decode attention, new length", _text(a.first_length_s, 1e-3, "ms")),
        ("decode attention, known length", _text(a.later_length_s, 1e-3, "ms")),
        ("4 KiB copy timed, over a chain of them", _text(a.short_kernel_ratio, 1.0, "")),
        ("energy counter moves every", _text(a.energy_period_s, 1e-3, "ms")),
        ("its power, over the power read", _text(a.energy_ratio, 1.0, "")),
        ("running out of memory raises", a.out_of_memory),
        ("and leaves", _text(a.left_bytes, MIB, "MiB")),
    ]
    return [(question, answer) for question, answer in told if answer is not None]


def _text(value: float | None, scale: float, unit: str) -> str | None:
    return None if value is None else f"{value / scale:.3g} {unit}".strip()
