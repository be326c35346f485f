"""What the reports of `roi profile` have in common: their order, where the file is, that the host was busy."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from roi.facts.environment import Environment
from roi.facts.profiles import DeviceProfile, InferProfile, TrainProfile
from roi.report.layout.blocks import Block, Gap, Notes, Paragraph, Title, Verbatim, render

INCOMPLETE: Final = "incomplete: what was measured is kept"
BUSY: Final = 0.5
"""Load average over cores above which others are likely to have taken time from the run."""


def profile_text(title: Sequence[str], tables: Iterable[Block], remarks: Iterable[str], after: Iterable[Block]) -> str:
    """A report for a terminal: what was measured, the tables, remarks on them, and the blocks `after` them."""
    first, *more = title
    blocks = (Title(first), *map(Paragraph, more), Gap(), *tables, Gap(), Notes(tuple(remarks)), *after)
    return render(blocks)


def kept_blocks(file: Path | None) -> tuple[Block, ...]:
    """Where the profile is, on one line however long, so that it can be copied."""
    return () if file is None else (Gap(), Verbatim((kept(file),)))


def kept(file: Path) -> str:
    """The words that say where the profile is."""
    return f"kept as {file}"


def changed_since(now: Environment, before: Environment) -> list[str]:
    """What differs between two runs on one card, one entry each: `torch 2.11.0 -> 2.13.0`. Load and clocks are left out."""
    names = ("driver", "cuda", "cudnn", "attention", "allocator", "tf32", "mig", "ecc", "power_limit_w", "slowed")
    pairs = [(name.removesuffix("_w").replace("_", " "), getattr(before, name), getattr(now, name)) for name in names]
    pairs += [(name, before.versions.get(name), version) for name, version in now.versions.items() if name != "roi"]
    return [f"{name} {_plain(old)} -> {_plain(new)}" for name, old, new in pairs if old != new]


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return " and ".join(value) or "none"
    return "not known" if value is None else str(value)


def cautions(profile: DeviceProfile | InferProfile | TrainProfile, so: str) -> list[str]:
    """Remarks on a run that was cut, and on a host whose cores other programs used; `so` is what that does to the figures."""
    texts, e = [] if profile.complete else [INCOMPLETE], profile.environment
    if e.device == "cpu" and e.load_average and e.cores and e.load_average[0] >= BUSY * e.cores:
        texts.append(f"the host was busy (load {e.load_average[0]:.1f} on {e.cores} cores): {so}")
    return texts
