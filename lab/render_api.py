"""docs/api.md: what Python users import from `roi`, from the docstrings of those names.

`make api` writes it; tests/lab/test_api_page.py checks that it is current.
"""

import ast
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import roi

PAGE = Path(__file__).parents[1] / "docs" / "api.md"
INTRO = """# Python

Written by `lab/render_api.py` (`make api`) from the docstrings; do not edit. The examples are run by the tests.

    from roi import compare

    comparison = compare("my.yaml")      # the same answer as `roi compare my.yaml`
    comparison                           # in a notebook: the one screen; print(comparison) as text
    comparison.option("cheaper-api")     # the cost tree of the best option of a kind, or of one by its name
    comparison.to_frame("months")        # a pandas frame: pip install 'lora-roi[frames]'
    comparison.plot.cash()               # a chart, in Jupyter, marimo and VS Code

`import roi` takes no time: a name is loaded when it is first used. Errors are `RoiError`s with a sentence for the reader.
The notebooks in `notebooks/` use these names, and where they show more than a comparison the rooms behind the commands
(`roi.answers`, `roi.report`), which may change. What the fields of the records mean stands below, and for JSON in
[json.md](json.md).
"""
ORDER = ("compare", "load_scenario", "resolve", "open_runs", "measure_usage", "measure_quality", "size",
         "fit", "next_step", "diff", "Comparison", "Option",
         "InfeasibleOption", "Verdict", "Chart", "Plots")
"""Names with a section of their own, in the page's order; the others are one line each."""
FIRST = "\n\n"


def page() -> str:
    """The text of docs/api.md."""
    told = [name for name in ORDER if name in roi.__all__]
    rest = [name for name in roi.__all__ if name not in told and not name.startswith("_")]
    lines = [f"- `{name}`: {_doc(getattr(roi, name)).partition(FIRST)[0]}" for name in rest]
    return "\n".join([INTRO, *(text for name in told for text in _section(name)), "## Also", "", *lines, ""])


def _section(name: str) -> Iterator[str]:
    """A function, or a class with its own public methods."""
    thing = getattr(roi, name)
    if not inspect.isclass(thing):
        yield from (f"## {name}", "", *_code(_signature(name, thing)), *_prose(_doc(thing)))
        return
    yield from (f"## {name}", "", *_prose(_doc(thing)), *_fields(thing))
    for each, member in vars(thing).items():
        if inspect.isfunction(member) and not each.startswith("_"):
            yield from (f"### {name}.{each}", "", *_code(_signature(each, member)), *_prose(_doc(member)))


def _fields(thing: type) -> Iterator[str]:
    """What the record holds, the engine's fields first: its fields and properties, each with its meaning where one is said."""
    told: dict[str, str] = {}
    for record in reversed([each for each in thing.__mro__ if dataclasses.is_dataclass(each)]):
        told |= _meanings(record)
    for name, meaning in told.items():
        yield from _wrap(f"- `{name}`: {meaning}" if meaning else f"- `{name}`", "  ")
    yield from [""] if told else []


def _meanings(record: type) -> dict[str, str]:
    """Public fields and properties of a class, in the order of its source, each with the docstring below it."""
    body, found = ast.parse(textwrap.dedent(inspect.getsource(record))).body[0].body, {}  # type: ignore[attr-defined]
    for node, after in zip(body, [*body[1:], None], strict=True):
        match node, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = text
            case ast.AnnAssign(target=ast.Name(id=name)), _:
                found[name] = ""
            case ast.FunctionDef(name=name), _ if not inspect.isfunction(vars(record)[name]):
                found[name] = ast.get_docstring(node) or ""
    return {name: " ".join(text.split()) for name, text in found.items() if not name.startswith("_")}


def _doc(thing: object) -> str:
    return inspect.cleandoc(getattr(thing, "__doc__", None) or "")


def _signature(name: str, function: object) -> str:
    """The call, as the source writes its arguments: one line, or one argument a line."""
    found = inspect.signature(function)  # type: ignore[arg-type]
    short = re.sub(r"\b(?:[^\W\d]\w*\.)+(\w+)", r"\1", f"{name}{found}")  # not the point of a number
    short = re.sub(r"<function (\w+) at 0x\w+>", r"\1", short)
    return re.sub(r"(-> |: )'([^']*)'", r"\1\2", short).replace("(self, ", "(").replace("(self)", "()")


def _code(text: str) -> list[str]:
    """A call as code, its arguments on lines of their own where it is long."""
    if len(text) > 100:
        head, _, rest = text.partition("(")
        arguments, _, result = rest.rpartition(")")
        split = re.split(r", (?=[*\w]+(?::|,|$))(?![^\[]*\])", arguments)
        text = "\n".join([f"{head}(", *(f"    {each}," for each in split), f"){result}"])
    return ["```python", *text.splitlines(), "```", ""]


def _prose(doc: str) -> Iterator[str]:
    """The docstring as Markdown: arguments and errors as lists, examples as code."""
    block = ""
    for part in re.split(r"\n(?=(?:Args|Raises|Example):\n)", doc):
        head, _, body = part.partition("\n")
        block = head.removesuffix(":")
        if block == "Example":
            yield from ("```python", *inspect.cleandoc(body).splitlines(), "```", "")
        elif block in {"Args", "Raises"}:
            yield from (f"{'With' if block == 'Args' else block}:", "")
            for item in re.split(r"\n(?=\S)", textwrap.dedent(body)):
                name, _, told = item.partition(":")
                yield from _wrap(f"- `{name}`: {' '.join(told.split())}", "  ")
            yield ""
        else:
            for paragraph in part.split("\n\n"):
                yield from (*_wrap(" ".join(paragraph.split())), "")


def _wrap(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
