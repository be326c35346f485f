"""What the reports of `roi profile` say alike: where the file is, what a cut run keeps, and that the host was busy."""

from pathlib import Path
from typing import Final

from roi.facts.environment import Environment

INCOMPLETE: Final = "incomplete: what was measured is kept"

BUSY: Final = 0.5
"""Load average over cores above which others are likely to have taken time from the run."""


def kept(file: Path) -> str:
    """Where the profile is: one line however long, so that it can be copied."""
    return f"kept as {file}"


def busy(e: Environment, so: str) -> list[str]:
    """A remark where other programs were using the host's cores at the start; `so`: what that does to the figures."""
    if e.device != "cpu" or not e.load_average or not e.cores or e.load_average[0] < BUSY * e.cores:
        return []
    return [f"the host was busy (load {e.load_average[0]:.1f} on {e.cores} cores): {so}"]
