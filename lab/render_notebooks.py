"""notebooks/*.ipynb: each marimo notebook as Jupyter and a code host show it, with its outputs; and docs/notebooks.md.

`make notebooks` runs every notebook as a script and makes its twin: the cells are exported, run in Jupyter, and charts become
pictures. Each twin says which text of the notebook it was made from, and what that printed; tests/lab/test_notebooks.py checks
that both are current.
"""

import ast
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from roi.api.plots import MIME

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
PAGE = ROOT / "docs" / "notebooks.md"
MADE_FROM = "made_from_sha256"
"""Key of a twin's metadata: the digest of the notebook that it was made from."""
PRINTED = "printed_sha256"
"""The same of what the notebook printed as a script on that day."""
LONGEST_S = 900
WIDE = 640
"""Width of a picture in pixels where its specification leaves it to the page."""
LIVE = "marimo-"
"""What the HTML of a slider or a button begins its elements with; a twin has none."""
INTRO = """# Notebooks

Written by `lab/render_notebooks.py` (`make notebooks`); do not edit. Each is a [marimo](https://marimo.io) file, which is plain
Python, with a Jupyter twin beside it that shows the outputs. They use what `from roi import ...` gives ([api.md](api.md)), and
for what only they show the rooms behind the commands.

    pip install -e '.[notebooks]'
    marimo run notebooks/payback_before_committing.py      # the live page: sliders, two scenarios side by side
    marimo edit notebooks/is_it_good_enough.py             # with its code
    python notebooks/size_for_an_slo.py                    # no browser: prints the key figures

A twin is executed in Jupyter (`pip install notebook`, or nbconvert and ipykernel) from its own folder. What
calibrate_on_real_hardware times on this machine needs `pip install -e '.[notebooks,profile]'` (torch); the rest of it does not.

`marimo run` serves on this machine alone unless `--host` says otherwise, and takes the next port where 2718 is in use; one that
`--port` names and that is in use is an error. The page fetches nothing from elsewhere, and a usage export that is given to it
stays in that process.
"""


def twin_of(notebook: Path) -> Path:
    """The Jupyter notebook beside it."""
    return notebook.with_suffix(".ipynb")


def digest(made: bytes) -> str:
    """What stands in a twin for the notebook that it was made from, or for what that printed."""
    return hashlib.sha256(made).hexdigest()


def environment() -> dict[str, str]:
    """This environment, in which notebooks import this tree, without an empty folder's profiles or colours."""
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": paths, "NO_COLOR": "1", "PYTHONWARNINGS": "ignore"}


def run(notebook: Path) -> str:
    """What the notebook prints as a script; RuntimeError with its last lines where it fails."""
    done = subprocess.run([sys.executable, str(notebook)], cwd=ROOT, capture_output=True, text=True, check=False,  # noqa: S603
                          timeout=LONGEST_S, env=environment())
    if done.returncode != 0:
        raise RuntimeError(f"{notebook.name}: {done.stderr[-2000:]}")
    return done.stdout


def make_twin(notebook: Path, printed: str) -> None:
    """Write the twin of the notebook, which `printed` that as a script, with the outputs of a run in Jupyter."""
    import nbformat
    from nbclient import NotebookClient

    with TemporaryDirectory() as folder:
        exported = Path(folder) / "twin.ipynb"
        command = [sys.executable, "-m", "marimo", "export", "ipynb", str(notebook), "--sort", "top-down", "-o", str(exported)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env=environment())  # noqa: S603
        book: Any = nbformat.read(exported, as_version=4)
    os.environ.update(environment())
    NotebookClient(book, timeout=LONGEST_S, resources={"metadata": {"path": str(notebook.parent)}}).execute()
    for cell in book.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [kept for output in cell.outputs if (kept := _kept(output)) is not None]
    book.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"}, MADE_FROM: digest(notebook.read_bytes()),
        PRINTED: digest(printed.encode()),
    }  # fmt: skip
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number}"
    nbformat.write(book, twin_of(notebook))


def _kept(output: Any) -> Any:
    """The output as a twin keeps it: a chart as a picture; None for what only a live page has."""
    data = output.get("data")
    if data is None:
        return None if output.get("name") == "stderr" else output
    if MIME in data:
        output["data"] = {"image/svg+xml": _picture(data[MIME]), "text/plain": data.get("text/plain", "")}
    elif LIVE in data.get("text/html", ""):
        return None
    if "text/markdown" in output["data"]:
        output["data"] = {"text/markdown": output["data"]["text/markdown"]}
    output.metadata = {}
    return output


def _picture(spec: dict[str, Any]) -> str:
    """The chart as SVG."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg({**spec, "width": WIDE} if spec.get("width") == "container" else spec))


def page(printed: dict[str, str]) -> str:
    """The text of docs/notebooks.md: what each notebook answers, and the key figures that it prints."""
    parts = [INTRO]
    for notebook in NOTEBOOKS:
        title = (ast.get_docstring(ast.parse(notebook.read_text(encoding="utf-8"))) or "").partition("\n")[0]
        links = f"[{notebook.stem}.ipynb](../notebooks/{notebook.stem}.ipynb),\n[code](../notebooks/{notebook.name})"
        parts.append(f"## {notebook.stem}\n\n{title}\n\n{links}\n\n{shown(printed[notebook.stem])}")
    return "\n".join(parts)


def shown(printed: str) -> str:
    """The first lines of what a notebook prints, as the page has them."""
    lines = printed.strip().splitlines()
    rest = f"\n... {len(lines) - MOST_LINES} more lines" if len(lines) > MOST_LINES else ""
    return "\n".join(["```text", *lines[:MOST_LINES]]) + f"{rest}\n```\n"


MOST_LINES = 30
"""Lines of a notebook's print that the page shows."""


def main(names: list[str]) -> None:
    """Run the notebooks of these names (all, for none), and write their twins and the page."""
    chosen = [each for each in NOTEBOOKS if not names or each.stem in names]
    unknown = set(names) - {each.stem for each in NOTEBOOKS}
    if unknown:
        raise SystemExit(f"no notebook {', '.join(sorted(unknown))}; there are {', '.join(each.stem for each in NOTEBOOKS)}")
    printed = {}
    for notebook in chosen:
        print(f"running {notebook.name}", file=sys.stderr)
        printed[notebook.stem] = run(notebook)
        make_twin(notebook, printed[notebook.stem])
    if not names:
        PAGE.write_text(page(printed), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
