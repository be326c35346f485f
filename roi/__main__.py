"""What `roi` and `python -m roi` start: the command, with its signals answered from the first moment on where it measures."""

import sys

MEASURE = {"profile", "calibrate"}
"""Commands that keep what they have where a signal ends them; before they have anything they say so and leave."""


def main() -> None:
    """Run the command."""
    if not MEASURE.intersection(sys.argv[1:2]):
        _run()
        return
    from roi.profiling.stops import catch_stops  # before click, which takes longer to import than all that is here

    try:
        with catch_stops():
            _run()
    except KeyboardInterrupt as error:
        from roi.errors import told_of

        message, exit_code = told_of(error)
        sys.stderr.write(f"roi: {message}\n")
        sys.exit(exit_code)


def _run() -> None:
    from roi.cli import main as command

    command(prog_name="roi")


if __name__ == "__main__":
    main()
