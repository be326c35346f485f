"""What the reports of `roi profile` have in common: their order, where the file is, that the host was busy."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

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


def cautions(profile: DeviceProfile | InferProfile | TrainProfile, so: str) -> list[str]:
    """Remarks on a run that was cut, and on a host whose cores other programs used; `so` is what that does to the figures."""
    texts, e = [] if profile.complete else [INCOMPLETE], profile.environment
    if e.device == "cpu" and e.load_average and e.cores and e.load_average[0] >= BUSY * e.cores:
        texts.append(f"the host was busy (load {e.load_average[0]:.1f} on {e.cores} cores): {so}")
    return texts
