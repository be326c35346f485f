"""What `roi` and `python -m roi` start: the command, with its signals answered from the first moment on that Python allows."""

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # roi/__init__.py says why it is not typing's
    from types import FrameType

MEASURE = {"profile", "calibrate"}
"""Commands that keep what they have where a signal ends them; before they have anything they say so and leave."""

COLLECT_AT = 100_000
"""Objects more than were freed before Python looks for cycles among them. At its 700 it looks 90 to 280 times while modules
are imported, whose objects all stay: 3 to 5% of a command. Not where something is measured, where what torch holds in a cycle
is memory, nor where one command is as much work as many (`collect_often`).
"""


def main() -> None:
    """Run the command. Until Python has come here, Ctrl-C is Python's own to answer: some 20 ms."""
    try:
        if MEASURE.intersection(sys.argv[1:2]):
            _measure()
        else:
            gc.set_threshold(COLLECT_AT)
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # products of some ms: a second thread spends more on waiting
            _run()
    except KeyboardInterrupt as error:
        from roi.errors import told_of

        message, exit_code = told_of(error)
        sys.stderr.write(f"roi: {message}\n")
        sys.exit(exit_code)
    finally:
        gc.freeze()  # the process ends here, and Python would look for cycles among all that goes with it
        _let_go()


def _let_go() -> None:
    """Drop what a full disk did not take, which was told: Python would write it again as it ends, and exit with 120."""
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # none, full, closed
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def _measure() -> None:
    import signal  # here, as its enumerations take longer than all above

    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _leave)
    from roi.profiling.stops import catch_stops  # before click, which takes longer to import than all that is here

    with catch_stops():
        _run()


def _leave(number: int, frame: "FrameType | None") -> None:  # noqa: ARG001 -- signal's signature
    """Say that a signal came, and leave; until `catch_stops` is there, whose import takes some 50 ms."""
    sys.stderr.write("roi: ended by SIGTERM; nothing was kept\n")
    sys.exit(128 + number)


def _run() -> None:
    from roi.cli import main as command

    command(prog_name="roi")


if __name__ == "__main__":
    main()
