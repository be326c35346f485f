"""A program that is started, watched and ended for certain: with its whole process group, also where this process is killed."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from roi.errors import RoiError, visible

GRACE_S: Final = 15.0
"""Time that a program has between SIGTERM and SIGKILL: torchrun and servers end their own children first."""
MOST_LOG_BYTES: Final = 2**16
"""The end of a log that is looked at."""
WATCH: Final = 'read _; kill -s TERM -- "-$0"; sleep 10; kill -s KILL -- "-$0"'
"""What a shell does for us: wait for the end of its input, which this process alone holds open, then end the group."""


class Child:
    """A program in a process group of its own, its output in a log. Leaving the block ends it, whatever the reason."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None,
                 folder: Path | None = None) -> None:
        self.command, self.log = command, log
        try:
            with log.open("wb") as output:
                self.process = subprocess.Popen(  # noqa: S603 -- no shell: words of the house or of the user
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=folder,
                    env={**os.environ, **(environment or {})}, start_new_session=True)
        except OSError as error:
            raise RoiError(f"{command[0]} cannot be started: {error.strerror}") from error
        # killing this process closes the pipe, which ends the program; Ctrl-C on a terminal reaches neither of the two
        self._watch = subprocess.Popen(["/bin/sh", "-c", WATCH, str(self.process.pid)], stdin=subprocess.PIPE,  # noqa: S603 -- see WATCH
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def exit_code(self) -> int | None:
        """Exit code of the program; None while it runs, below 0 where a signal ended it."""
        return self.process.poll()

    def stop(self, grace_s: float = GRACE_S) -> None:
        """End the group: SIGTERM, then SIGKILL to what is left after `grace_s` seconds. Again does nothing."""
        if self._watch.poll() is not None:
            return
        self._signal(signal.SIGTERM)
        ends_s = time.monotonic() + grace_s
        while self._alive() and time.monotonic() < ends_s:
            time.sleep(0.05)
        self._signal(signal.SIGKILL)
        self.process.wait()
        self._watch.kill()
        self._watch.communicate()

    def last_lines(self, count: int) -> list[str]:
        """The last lines that the program wrote, as a terminal may show them, without a traceback's carets."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - MOST_LOG_BYTES))
            lines = file.read(MOST_LOG_BYTES).decode("utf-8", "replace").replace("\r", "\n").splitlines()
        return [visible(line.rstrip())[:200] for line in lines if line.strip(" ^~")][-count:]

    def _alive(self) -> bool:
        """True while a process of the group is there; the program itself is taken note of when it ended."""
        self.process.poll()
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # macOS says so of a group of processes that have ended
            return self.process.returncode is None
        return True

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):
            return
