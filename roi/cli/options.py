"""Options that several commands share, each declared once; and the check of values that ranges let through."""

import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from functools import partial, reduce
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from roi.errors import InputError, NotAChoice, day_meant, grouped, visible

F = TypeVar("F", bound=Callable[..., Any])
"""A command's function."""


class GivenPath(click.Path):
    """A path; what names no file is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # Any: click's signature
        """The path that the text names."""
        if not str(value).strip() or "\0" in str(value):
            self.fail(f"{str(value)!r} names no file", param, ctx)
        if str(value) == "-":
            self.fail("'-' is no file here; /dev/stdin and /dev/stdout are", param, ctx)
        return super().convert(value, param, ctx)


OPENED: Final = (".html", ".htm", ".xlsx", ".xls", ".pdf", ".docx", ".png", ".svg")
"""Endings by which a computer opens a file with the program for it."""


class Target(GivenPath):
    """A file that the command writes; where it is `fresh`, only with --force in the place of one that is there.

    Where it has `endings`, a name that another program would open is refused.
    """

    def __init__(self, *, fresh: bool = False, endings: tuple[str, ...] = ()) -> None:
        super().__init__(path_type=Path)
        self.fresh, self.endings = fresh, endings

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # Any: click's signature
        """The path that the text names."""
        path: Path = super().convert(value, param, ctx)
        if self.endings and path.suffix.lower() in OPENED and path.suffix.lower() not in self.endings:
            self.fail(f"{path} is the name of another kind of file; write {path.with_suffix(self.endings[0])}", param, ctx)
        return path


PATH, TARGET, FRESH = GivenPath(path_type=Path), Target(), Target(fresh=True)
YAML, NEW_YAML = Target(endings=(".yaml",)), Target(fresh=True, endings=(".yaml",))
PAGE, BOOK = Target(fresh=True, endings=(".html", ".htm")), Target(fresh=True, endings=(".xlsx",))


def collect_often() -> None:
    """Look for cycles as Python does by itself, where one command is much work whose garbage must not wait."""
    import gc

    gc.set_threshold(700)


class Number(click.FloatRange):
    """A number in a range, which lets nan through, and inf where it has no end: neither is one here."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # Any: click's signature
        """The number that the text says."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not in the range", param, ctx)
        return number

    def _describe_range(self) -> str:
        """The range for --help: nothing where it has no ends, of which click writes x<=None."""
        return "" if self.min is None and self.max is None else super()._describe_range()


class Count(Number):
    """A number of what is counted: one that is written 20.000 may be 20,000, and is asked."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # Any: click's signature
        """The number that the text says."""
        if asked := grouped(str(value).strip()):
            self.fail(f"{value!r} is not usable; {asked}", param, ctx)
        return super().convert(value, param, ctx)


class Choice(click.Choice[str]):
    """One of a few words; another is refused with all of them and the nearest."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # Any: click's signature
        """The word, as it is listed."""
        if value not in self.choices:
            raise NotAChoice("option" if param is None else param.opts[0], value, map(str, self.choices))
        return super().convert(value, param, ctx)


FORCED: Final = "roi.cli.options.forced"
"""Where the context of a command that may replace files keeps whether it shall."""


def _keep_forced(ctx: click.Context, _: click.Parameter, forced: bool) -> None:
    ctx.meta[FORCED] = forced


def forced() -> bool | None:
    """True where --force lets a file be replaced; None where the command has no such option, or one that is about a GPU."""
    context = click.get_current_context(silent=True)
    return None if context is None else context.meta.get(FORCED)


replace_option = partial(click.option, "--force", is_flag=True, expose_value=False, callback=_keep_forced)
force_option = replace_option(help="Replace a file that is there, whatever it holds.")
file_argument = click.argument("file", required=False, type=PATH)
set_option = click.option("--set", "overrides", multiple=True, metavar="A.B=VALUE",
                          help="Override a field of the scenario, a number as exact,"
                               " {value: 9, low: 6, high: 12} with its spread; may be repeated.")
usage_option = click.option("--usage", "part", type=PATH,
                            help="What usage records settle (roi usage --output), laid over the scenario.")
profiles_option = click.option("--profiles", multiple=True, type=PATH, help="Folder of profiles to search first.")
quality_option = click.option("--quality", type=PATH,
                              help="What an evaluation settles (roi quality --output), laid over the scenario.")
full_option = click.option("--full", is_flag=True, help="Print all that is known, not the answer alone.")
html_option = click.option("--html", type=PAGE, help="Write the report as one HTML file too, with pictures.")
redact_option = click.option("--redact", is_flag=True, help="Leave rates, wages and names out of --html.")


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """One decorator that gives a command all of these options, in this order."""
    return lambda command: reduce(lambda given, option: option(given), reversed(options), command)


scenario_options = together(file_argument, set_option, usage_option, profiles_option)
"""FILE, and what is laid over or beside the scenario in it: --set, --usage, --profiles."""
page_options = together(html_option, force_option)
"""--html, and what goes with it, where there is no --output of `written_options`."""
draws_options = together(
    click.option("--draws", type=click.IntRange(0, 1_048_576), help="Draws of the uncertain facts; 0 = central values only."),
    click.option("--seed", type=click.IntRange(0, 2**63), help="Seed of the draws."),
)


def read_day(text: str, option: str) -> date:
    """The day that `text` says as 2026-11-24; InputError."""
    with suppress(ValueError):
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            return date.fromisoformat(text)
    raise InputError(f"{option}: {text[:40]!r} is no day; write it as 2026-11-24{day_meant(text)}")


def pairs_of(given: Iterable[str], option: str, form: str, between: str = "=") -> tuple[tuple[str, str], ...]:
    """The two sides of each text; InputError where one is empty, with the `form` in which they are written."""
    pairs = []
    for each in given:
        first, _, second = (part.strip() for part in each.partition(between))
        if not first or not second:
            raise InputError(f"{option}: {each[:60]!r} is not usable; write it as {form}")
        pairs.append((first, second))
    return tuple(pairs)


HERE = Path("roi.yaml")
"""The scenario of the folder that a command is run in."""


def scenario_here(file: Path | None) -> Path | None:
    """FILE; without it the folder's roi.yaml, which is said; None where there is none."""
    if file is not None or not HERE.is_file():
        return file
    tell(f"using ./{HERE}")
    return HERE


def format_option(*forms: str, callback: Callable[..., str] | None = None) -> Callable[[F], F]:
    """`--format` of these forms, the first of which is the default; a `callback` of click's may change what is asked."""
    return click.option("--format", "form", type=Choice(forms), default=forms[0], show_default=True, callback=callback,
                        help="How to print.")


SUFFIXES = {".json": "json", ".jsonl": "jsonl", ".md": "markdown"}
"""What the name of a file says of its form."""
OWN_OPTIONS = {".html": "--html", ".xlsx": "--xlsx"}
"""The options that write what has such a name."""


def written_options(*forms: str) -> Callable[[F], F]:
    """`--format` of these forms, `--output`, the name of which tells the form where no --format is given, and `--force`."""
    def form_of(ctx: click.Context, _: click.Parameter, form: str) -> str:
        output: Path | None = ctx.params.get("output")
        if output is not None and (suffix := output.suffix.lower()) in OPENED:
            known = {name for option in ctx.command.params for name in option.opts}
            own = OWN_OPTIONS.get(suffix) if OWN_OPTIONS.get(suffix) in known else None
            page = "; --html FILE.html writes a page, which a browser prints" * (own is None and "--html" in known)
            raise InputError(f"--output: {output} would hold text; write {own or '--output'}"
                             f" {output if own else output.with_suffix('.md')}{page}")
        if output is None or ctx.get_parameter_source("form") is not ParameterSource.DEFAULT:
            return form
        named = SUFFIXES.get(output.suffix.lower(), form)
        return named if named in forms else form

    return together(
        format_option(*forms, callback=form_of),
        click.option("--output", type=TARGET, help="Write to this file, whole or not at all; .json and .md tell --format."),
        force_option)


cache_option = click.option("--no-cache", "cache", is_flag=True, callback=lambda _ctx, _param, given: not given,
                            help="Resolve and replay all anew; read and keep nothing on disk.")


def tell(line: str) -> None:
    """Say one line beside the answer, on stderr; where that takes nothing, a full disk, the answer is what counts."""
    with suppress(OSError):
        click.echo(f"roi: {visible(line)}", err=True)


@contextmanager
def watched() -> Iterator[Callable[[str], None]]:
    """Where a person watches, the line that says what is being done; else nothing."""
    if not sys.stderr.isatty():
        yield lambda line: None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield status.update


def _named_method(_: click.Context, __: click.Parameter, text: str) -> str:
    from roi.estimate.training.peft_methods import named_method

    return named_method(text)


def _named_optimizer(_: click.Context, __: click.Parameter, text: str) -> str:
    from roi.estimate.training.optimizers import named_optimizer

    return named_optimizer(text)


method_option = partial(click.option, "--method", default="lora", show_default=True, callback=_named_method)
optimizer_option = partial(click.option, "--optimizer", default="adamw", show_default=True, callback=_named_optimizer)
"""Names that people write in many ways."""


@contextmanager
def as_options(context: click.Context) -> Iterator[None]:
    """Where a field of the plan is refused, call it as the command line does: --micro-batch for micro_batch."""
    try:
        yield
    except InputError as error:
        name, said, why = str(error).partition(": ")
        shown = next((param.opts[0] for param in context.command.params if param.name == name and param.opts[0] != name), None)
        if shown is None or not said:
            raise
        raise InputError(f"{shown}: {why}") from None
