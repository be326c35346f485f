"""Ctrl-C and SIGTERM while something is measured: the first ends the measuring, none loses what was measured.

Three phases. Before there is anything to keep each signal raises, as Python does by itself. From `guard` on the first ends the
measuring and later ones do nothing: a second Ctrl-C, or the scheduler's SIGTERM after it, would otherwise end what the first
one began, the keeping. From `finish` on, while the profile is made, written and told, a signal only shows in the exit code.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from roi.errors import Terminated

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Stops:
    """The signals that asked a run to end, and what they do. Without `catch_stops` no signal arrives here."""

    def __init__(self) -> None:
        self.signal: int | None = None
        """Number of the first signal that came; None where none did."""
        self._first: Callable[[], object] | None = self._raise
        """What the first signal does; None where it does nothing."""
        self._later: Callable[[], object] | None = self._raise

    @property
    def exit_code(self) -> int:
        """128 + the signal, as shells count; 130 where Python itself raised a KeyboardInterrupt."""
        return 128 + (self.signal or signal.SIGINT)

    @property
    def why(self) -> str:
        """What ended the run, for its notes."""
        return "ended by SIGTERM" if self.signal == signal.SIGTERM else "interrupted by the user"

    def guard(self, end: Callable[[], object] | None = None) -> None:
        """Let signals end the run in order from here on: the first calls `end` (else raises), later ones do nothing."""
        self._first, self._later = end or self._raise, None

    def finish(self) -> None:
        """Only note signals from here on, for the exit code: the measuring has ended."""
        self._first = self._later = None

    def error(self) -> KeyboardInterrupt:
        """What the signal raises: Terminated after SIGTERM, so that the exit code is its."""
        return Terminated() if self.signal == signal.SIGTERM else KeyboardInterrupt()

    def take(self, number: int, frame: FrameType | None = None) -> None:  # noqa: ARG002 -- signal's signature
        """Handle a signal: the handler that Python calls."""
        act = self._first if self.signal is None else self._later
        self.signal = self.signal or number
        if act is not None:
            act()

    def _raise(self) -> None:
        raise self.error()


@contextmanager
def catch_stops() -> Iterator[Stops]:
    """SIGINT and SIGTERM go to the Stops that is yielded until the block ends; then they are handled as before.

    One that is ignored (a script's background job ignores Ctrl-C) stays ignored. Outside the main thread, where Python sets no
    handlers, nothing changes. One that came in a block around this one, and was lost in an import or a finaliser that swallows
    what is raised there, is raised again.
    """
    stops = Stops()
    before = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                handler = signal.getsignal(number)
                outer = getattr(handler, "__self__", None)
                if isinstance(outer, Stops) and outer.signal is not None:
                    raise outer.error()
                if handler not in {signal.SIG_IGN, None}:  # None: Python could not set it back
                    before[number] = signal.signal(number, stops.take)
        yield stops
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
