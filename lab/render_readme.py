"""README.md with the program's own output between its markers.

A block starts with `<!-- output: COMMAND -->` and ends with `<!-- end -->`; what stands between is replaced by what COMMAND,
started in this repository, prints at 80 columns without colour; `COMMAND | head -N` keeps the first N lines. `make readme`
writes the file; tests/test_readme.py checks that it is current.
"""

import re
import shlex
from contextlib import chdir
from pathlib import Path

from click.testing import CliRunner

from roi.cli import main

README = Path(__file__).parent.parent / "README.md"

_BLOCK = re.compile(r"(?P<start><!-- output: roi (?P<arguments>[^\n]*?) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)


def rendered(text: str) -> str:
    """`text` with every block filled anew."""
    return _BLOCK.sub(lambda block: f"{block['start']}```text\n{output(block['arguments'])}```\n{block['end']}", text)


def output(arguments: str) -> str:
    """What `roi ARGUMENTS` prints on stdout; AssertionError where it fails."""
    words, _, most = arguments.partition(" | head -")
    runner = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"})
    with chdir(README.parent):
        answer = runner.invoke(main, shlex.split(words), prog_name="roi", catch_exceptions=False)
    assert answer.exit_code == 0, f"roi {words}: exit {answer.exit_code}: {answer.stderr}"
    lines = [line.rstrip() for line in answer.stdout.splitlines()]
    return "\n".join(lines[: int(most)] if most else lines) + "\n"


if __name__ == "__main__":
    README.write_text(rendered(README.read_text(encoding="utf-8")), encoding="utf-8")
