"""Progress of a run on stderr: a bar with the time left where a person watches, elsewhere a line for each part that is done."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import fill
from typing import Final, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from roi.errors import visible

WIDTH: Final = 80


class Watcher:
    """Receives the progress of a run. This one shows nothing; `Lines` and `Bar` show it."""

    def say(self, text: str) -> None:
        """Show a line that stays, on a terminal alone."""

    def update(self, text: str, spent: float, left_s: float) -> None:
        """Show what is going on, the share that is done (0 to 1), and the seconds left at most."""

    def done(self, text: str) -> None:
        """Write that a part has ended, where no bar shows it."""

    def tell(self, text: str) -> None:
        """Write lines as they are, on a terminal and in a log."""

    def warn(self, text: str) -> None:
        """Show what the user should know at once, on a terminal and in a log."""


class Lines(Watcher):
    """Writes plain lines to a log."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def done(self, text: str) -> None:
        """Write one line."""
        print(visible(text, "\n"), file=self.stream, flush=True)

    tell = done

    def warn(self, text: str) -> None:
        """Write one line, or more where it is long."""
        self.done(fill(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False))


class Bar(Watcher):
    """Draws a bar of rich, with lines above it; at most five times a second, so that it costs a run nothing."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task = progress.add_task("", total=1.0, left="")
        self.drawn_s = 0.0

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self.progress.console.print(visible(text, "\n"), markup=False, highlight=False)

    tell = warn = say

    def update(self, text: str, spent: float, left_s: float) -> None:
        """Move the bar."""
        now = time.monotonic()
        if now - self.drawn_s < 0.2 and spent < 1.0:
            return
        self.drawn_s = now
        minutes, seconds = divmod(round(left_s), 60)
        left = f"at most {minutes}:{seconds:02d} left"
        self.progress.update(self.task, completed=spent, description=visible(text), left=left)
        self.progress.refresh()


@contextmanager
def show_progress(stream: TextIO | None = None) -> Iterator[Watcher]:
    """A bar on a terminal, plain lines elsewhere. It is drawn between steps, never by a thread that would disturb them."""
    stream = stream or sys.stderr
    if not stream.isatty():
        yield Lines(stream)
        return
    columns = (BarColumn(bar_width=20), TextColumn("{task.description}", markup=False), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=Console(file=stream), transient=True, auto_refresh=False) as progress:
        yield Bar(progress)
