"""The command line, asked as a user would."""

from pathlib import Path

from click.testing import CliRunner, Result

from roi.cli import main


def ask(*args: str | Path) -> Result:
    """What `roi` answers to these words."""
    return CliRunner().invoke(main, [str(a) for a in args], prog_name="roi")
