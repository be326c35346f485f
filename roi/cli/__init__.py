"""The command `roi`: a group whose commands are imported when they are run, and the one place that answers errors.

Exit codes: 0 done; 2 something the user gave is wrong; 3 a limit of `roi check` or `roi track` does not hold; 1 anything else;
130 interrupted (Ctrl-C); 143 ended by SIGTERM, which commands that measure catch, to keep what they have.
"""

import errno
import os
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import click
from click.exceptions import Exit

from roi import __version__
from roi.cli.options import tell
from roi.errors import RoiError, day_meant, nearest, told_of

OF_A_NAME = {errno.EACCES, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EPERM, errno.EROFS}
"""Errors of the system that are about what a name was given for."""
WRITE = re.compile(r"; write (\S+)")
REFUSED = re.compile(r"(?P<value>.+?) (?:is not a valid|is not in the range|does not match the format)", re.DOTALL)
"""What click says of a value that its type does not take."""
NO_MEMORY = ("failed to map segment", "can't start new thread")
"""What the system's loader, and Python, say where a library or a thread does not fit the memory that is left."""

MOST_TOLD, LONGEST_VALUE = 4000, 60
"""Characters of a message, and of a value that it quotes."""
LIKE = 0.65
"""How like a mistyped option another is that may be meant (0 to 1), dashes aside."""


class Door(NamedTuple):
    """Where a command lives and its line in `roi --help`, so that help imports no command."""

    target: str
    """module:attribute of the click command."""
    summary: str
    """One line of help."""


COMMANDS = {
    "compare": Door("roi.cli.compare:compare", "Every option's cost, payback and risk; the verdict and why."),
    "size": Door("roi.cli.size:size", "Replicas that keep the SLO at the peak; cost against latency."),
    "fit": Door("roi.cli.fit:fit", "What fits on which GPU: memory, training hours, USD."),
    "usage": Door("roi.cli.usage:usage", "What was spent, from usage logs; the workload they settle."),
    "quality": Door("roi.cli.quality:quality", "Is it good enough: scores, differences, how sure, from results."),
    "next": Door("roi.cli.next:next_step", "What to measure next: cost, worth, how much, when to stop."),
    "diff": Door("roi.cli.diff:diff", "What changed between two answers, cause by cause, to the cent."),
    "check": Door("roi.cli.check:check", "Does the decision still hold: a policy's limits; exit 3 if not."),
    "track": Door("roi.cli.track:track", "Did it come true: months after a decision against its forecast."),
    "prices": Door("roi.cli.prices:prices", "What is known of prices, with age and source; add or refresh."),
    "init": Door("roi.cli.init:init", "Write a commented scenario to start from."),
    "profile": Door("roi.cli.profile:profile", "Short real runs on the device at hand, or on a server."),
    "help": Door("roi.cli.help:explain", "What a command does, or what a field of the scenario means."),
    "schema": Door("roi.cli.schema:schema", "JSON Schema of the scenario file, for editors."),
    "validate": Door("roi.cli.validate:validate", "Predictions against a table of measured runs."),
    "calibrate": Door("roi.cli.calibrate:calibrate", "Training speed measured against theory: scales, errors, intervals."),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is called for."""

    def __init__(self, *, doors: dict[str, Door], **rest: Any) -> None:  # Any: handed to click as it is
        super().__init__(**rest)
        self.doors = doors

    def main(self, *args: Any, **rest: Any) -> Any:  # Any: click's own signature
        """Run as a program; a closed stream takes what is written to it, and a full disk under --help is one message."""
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # to look for some reads all that is installed
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:
                setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 -- open as long as the program
        try:
            return super().main(*args, **rest)
        except OSError as error:
            tell(f"output: {error.strerror}")
            sys.exit(1)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Names of the commands, in the order of the table."""
        return list(self.doors)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        """The command, imported now; None where there is none of that name."""
        if cmd_name not in self.doors:
            return None
        door = self.doors[cmd_name]
        module, _, attribute = door.target.partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command), door.target
        command.short_help = door.summary  # what a shell completes it with
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name; an unknown one is answered with the nearest."""
        name = args[0]
        if name not in self.doors and not name.startswith("-"):
            near = nearest(name, self.doors)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self.doors)}"
            ctx.fail(f"no command {name[:80]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's
        """Write the table of commands from the summaries."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, door.summary) for name, door in self.doors.items()])

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **rest: Any) -> click.Context:  # Any: click's
        """Read the arguments; a signal that comes meanwhile is answered like one that comes later."""
        for strange in filter(_of_other_digits, args):
            _stop(f"{strange[:LONGEST_VALUE]!r} is not usable; numbers have the digits 0 to 9", 2)
        try:
            return super().make_context(info_name, args, *more, **rest)
        except click.UsageError as error:
            if (told := _answer_to(error)) is None:
                raise
            _stop(*told)
        except KeyboardInterrupt as error:
            _stop(*told_of(error))

    def invoke(self, ctx: click.Context) -> Any:  # Any: click's own signature
        """Run the command; turn what can be answered into a message and an exit code. A bug keeps its traceback."""
        try:
            return super().invoke(ctx)
        except (RoiError, click.UsageError, KeyboardInterrupt, MemoryError, ImportError, RuntimeError, OSError) as error:
            told = _answer_to(error)
            if told is None:
                raise
            _stop(*told)


def _of_other_digits(text: str) -> bool:
    """True where Python would read numbers (with commas, or after =) with other digits than ASCII's: nothing else here does."""
    words = text.rpartition("=")[2].split(",")
    return not text.isascii() and all(word and all(x.isdecimal() or x in " .+-_e%" for x in word) for word in words) and any(
        x.isdecimal() and not x.isascii() for word in words for x in word)


def _answer_to(error: BaseException) -> tuple[str, int] | None:
    """The message and the exit code that answer an error; None where it is a bug, or click's own to answer."""
    if isinstance(error, RoiError):
        return str(error), error.exit_code
    if isinstance(error, MemoryError) or any(each in str(error) for each in NO_MEMORY):
        return "out of memory; fewer --draws or fewer candidates need less", 1
    told: tuple[str, int] | None = None
    match error:
        case click.NoSuchOption():
            options = error.ctx.command.get_params(error.ctx) if error.ctx is not None else ()
            known = {name for param in options for name in (*param.opts, *param.secondary_opts)}
            longer = sorted(name.removeprefix("--") for name in known - {"--force"} if name[:2] == "--")  # which is no guess
            near = nearest(error.option_name.lstrip("-"), longer, 1, LIKE)
            hint = f"; did you mean --{near[0]}?" if near else "; see --help"
            told = f"no option {error.option_name!r}{_field_of(error) or hint}", 2
        case click.UsageError() if not isinstance(error, click.exceptions.NoArgsIsHelpError):
            told = _said(error), 2
        case KeyboardInterrupt():  # a command that keeps what is done by then leaves by itself
            told = told_of(error)
        case RecursionError():
            told = "the input is nested too deeply", 2
        case OSError() if error.errno != errno.EPIPE:  # the reader of our output left: click ends quietly
            told = f"{error.filename or 'operating system'}: {error.strerror or error}", 2 if error.errno in OF_A_NAME else 1
    return told


def _field_of(error: click.NoSuchOption) -> str:
    """How --set says what an unknown option is called after, a field of the scenario; empty where that is none."""
    if error.ctx is None or not any("--set" in param.opts for param in error.ctx.command.params):
        return ""
    from roi.scenario.meaning import meaning_of

    try:
        path = meaning_of(error.option_name.lstrip("-").replace("-", "_")).path
    except RoiError:
        return ""
    return f"; a field of the scenario: --set {path}=VALUE"


def _said(error: click.UsageError) -> str:
    """What is wrong with the command line, on one line: the option or argument, what was given, and what it takes."""
    parameter: click.Parameter | None = getattr(error, "param", None)
    name, refused = "", REFUSED.match(error.message)
    if parameter is not None:
        name = parameter.opts[0]
    if isinstance(parameter, click.Argument) and error.ctx is not None:
        name = parameter.make_metavar(error.ctx).replace("[", "").replace("]", "")
    match error:
        case click.MissingParameter() if name:
            return f"{name}: needed and not given; see --help"
        case click.BadParameter() if parameter is not None and refused:
            value = refused["value"]
            shown = value if len(value) <= LONGEST_VALUE else f"{value[: LONGEST_VALUE - 3]}..."
            return f"{name}: {shown} is not usable; {_taken(parameter.type)}{_meant(value, parameter)}"
        case click.BadParameter() if name:
            return f"{name}: {error.message.rstrip('.')}"
        case click.BadOptionUsage(option_name=option):
            return f"{option}: {'needs a value' if 'requires' in error.message else 'takes no value'}; see --help"
    said = " ".join(error.format_message().split()).replace("Got unexpected extra arguments", "too many arguments:")
    return said.replace("Got unexpected extra argument", "one argument too many:")


def _meant(shown: str, parameter: click.Parameter) -> str:
    """What to write for a number as people write it: 5k, 80%, $2."""
    if isinstance(parameter.type, click.DateTime):
        return day_meant(shown.strip("'\""))
    from roi.scenario.quantity import as_meant  # for a mistake

    kind = "int" if isinstance(parameter.type, click.types.IntParamType) else "float"
    told = as_meant(shown.strip("'\""), kind, "", parameter.name or "")
    try:
        if found := WRITE.fullmatch(told):
            parameter.type.convert(found[1], parameter, None)
    except click.BadParameter:  # the number is understood, and out of range
        return ""
    return told


def _taken(kind: Any) -> str:  # Any: a type of click
    """What a type of click takes, in words."""
    if isinstance(kind, click.DateTime):
        return "a day such as 2026-11-24"
    number = "a whole number" if isinstance(kind, click.types.IntParamType) else "a number"
    if not isinstance(kind, click.IntRange | click.FloatRange):
        return number
    low, high = (None if end is None else f"{end:,}".removesuffix(".0") for end in (kind.min, kind.max))
    least = "" if low is None else f" {'above' if kind.min_open else 'from'} {low}"
    return number + least + ("" if high is None else f" {'below' if kind.max_open else 'to'} {high}")


def _stop(message: str, exit_code: int) -> NoReturn:
    """Print the message on stderr, of one that quotes megabytes its ends, and leave."""
    told = message if len(message) <= MOST_TOLD else f"{message[: MOST_TOLD // 2]} ... {message[-MOST_TOLD // 2 :]}"
    tell(told)
    raise Exit(exit_code)


@click.group(cls=LazyGroup, doors=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
             epilog="`roi compare` without a file runs a bundled example.")
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Stay with an API, pay less for it, or train an adapter and serve it: costs, payback, and how sure."""
