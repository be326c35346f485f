"""Every error that roi raises on purpose.

    RoiError                       base; the command line prints its message, never a traceback
    ├── InputError                 exit 2: something the user gave is wrong
    │   ├── ScenarioError          a field of the scenario: path, value, what is allowed
    │   │   └── NoListPrice        a model that is listed, and has no price by the token
    │   ├── CaseError              a saved comparison that cannot be replayed
    │   ├── NotAChoice             a word that is not one of the few that are allowed
    │   ├── UnnamedColumns         a table of one's own whose columns nobody named
    │   └── UnknownName            a model, GPU, provider or option that the catalog does not hold
    └── MissingExtra               exit 2: an optional package is not installed

    KeyboardInterrupt              exit 130: Ctrl-C
    └── Terminated                 exit 143: SIGTERM, where it is caught: what keeps its work on Ctrl-C keeps it then too
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import ne
from pathlib import Path
from types import UnionType
from typing import Final

UNSEEN = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff\\ufeff]")
"""What a reader does not see and a terminal obeys: controls, line breaks, marks that turn the direction of writing, halves of a
character. They come with names from files and servers."""


def visible(text: str, keep: str = "") -> str:
    """`text` with what a reader would not see written out by its number; the characters in `keep` stand as they are."""

    def written_out(found: re.Match[str]) -> str:
        return found.group() if found.group() in keep else f"\\u{ord(found.group()):04x}"

    return UNSEEN.sub(written_out, text)


class RoiError(Exception):
    """Base of every error that roi raises on purpose; `str(error)` is written for the user, also in a traceback."""

    exit_code = 1

    def __str__(self) -> str:
        return visible(super().__str__(), "\n")

    def reword(self, words: Callable[[str], str]) -> None:
        """Say the error in other words: those of the door at which it is raised (roi/api/arguments.py)."""
        self.args = (words(super().__str__()),)


class InputError(RoiError):
    """Something the user gave is wrong."""

    exit_code = 2


class ScenarioError(InputError):
    """A field of the scenario is wrong; the message names field, value and what is allowed."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field, self.allowed = field, allowed
        super().__init__(f"{field}: {written(value)} is not usable; {allowed}")

    def reword(self, words: Callable[[str], str]) -> None:
        """Say the message and the field's name in other words (`RoiError.reword`)."""
        super().reword(words)
        self.field, self.allowed = words(self.field), words(self.allowed)


class NoListPrice(ScenarioError):
    """A model that is listed without a price that can be used: what it is, and that one can be stated."""


LONGEST_VALUE: Final = 60
"""Characters of a wrong value that are shown."""


def written(value: object) -> str:
    """A wrong value as a message shows it: lists and blocks as YAML has them, text in quotes."""
    if isinstance(value, dict):
        text = f"{{{', '.join(f'{key}: {_as_item(each)}' for key, each in value.items())}}}"
    elif isinstance(value, (list, tuple)):
        text = f"[{', '.join(map(_as_item, value))}]"
    elif value is None or isinstance(value, bool):
        text = "null" if value is None else str(value).lower()
    else:
        text = repr(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


def _as_item(value: object) -> str:
    return value if isinstance(value, str) else written(value)


class CaseError(InputError):
    """A saved comparison cannot be replayed."""


class NotAChoice(InputError):
    """A word that is not one of the few that are allowed; the message lists them, and says which is nearest, of `more` too."""

    def __init__(self, field: str, value: object, choices: Iterable[str], more: Iterable[str] = ()) -> None:
        known, others = list(choices), list(more)
        listed = ", ".join(known) + (f" and {len(others)} more" if others else "")
        hint = nearest_told(str(value), [*known, *others], 1)
        super().__init__(f"{field}: {str(value)[:40]!r} is not one of {listed}{hint}")


class UnnamedColumns(InputError):
    """A table of one's own in which columns are not found; `brief` is the message without the options that would name them."""

    def __init__(self, brief: str, remedy: str) -> None:
        self.brief = brief
        super().__init__(f"{brief}{remedy}")


FEW = 8
"""Names of which all are listed where none is near."""


class UnknownName(InputError):
    """A name that is not known; the message has the nearest known ones, else `all_of_them` or how many there are.

    `listed` is the command that lists them, `remedy` what to do where the name is right.
    """

    def __init__(
        self, field: str, name: str, known: Iterable[str], kind: str, all_of_them: Iterable[str] = (), *, listed: str = "",
        remedy: str = "",
    ) -> None:
        self.field = field
        self.brief = f"{field}: unknown {kind} {name[:80]!r}"
        """The message without what is offered, for which every known name is looked at."""
        self._name, self._known, self._all = name, tuple(known), tuple(all_of_them)
        self._end = (f"; `{listed}` lists all" if listed else "") + (f"; {remedy}" if remedy else "")
        super().__init__(self.brief)

    @property
    def offered(self) -> str:
        """The end of the message: known names that have this one in them, then those that look like it."""
        having = names_with(self._name, self._known)
        near = list(dict.fromkeys([*having, *nearest(self._name, self._known)]))[:OFFERED]
        more = f" and {len(having) - OFFERED:,} more have it in them" if len(having) > OFFERED else ""
        known = ", ".join(self._all or (self._known if len(self._known) <= FEW else ()))
        none = f"; none of the {len(self._known):,} known names is like it" if self._known else ""
        return (f"; nearest: {', '.join(near)}{more}" if near else f"; known: {known}" if known else none) + self._end

    def __str__(self) -> str:
        return visible(self.brief) + self.offered

    def reword(self, words: Callable[[str], str]) -> None:
        """Say what it is about, the field and the remedy in other words; the known names stay as they are."""
        super().reword(words)
        self.field, self.brief, self._end = words(self.field), words(self.brief), words(self._end)


class MissingExtra(RoiError):
    """An optional package is not installed."""

    exit_code = 2

    def __init__(self, extra: str, package: str, way: str = "") -> None:
        super().__init__(f"this needs {package}: pip install 'lora-roi[{extra}]'{way}")


@contextmanager
def needs(extra: str, package: str) -> Iterator[None]:
    """What is imported within is of an optional package; MissingExtra where that is not installed."""
    try:
        yield
    except ImportError as error:
        raise MissingExtra(extra, package) from error


class Terminated(KeyboardInterrupt):
    """SIGTERM came: from a job scheduler, `timeout` or `kill`."""


def told_of(error: KeyboardInterrupt) -> tuple[str, int]:
    """What is said of a signal that came before anything was measured, and the exit code."""
    how, exit_code = ("ended by SIGTERM", 143) if isinstance(error, Terminated) else ("interrupted", 130)
    return f"{how}; nothing was kept", exit_code


def words_of(error: Exception) -> str:
    """What a library's error says, on one line of at most 300 characters; its kind where that is a key, or nothing.

    Its first line may be a heading ("Validation error for field 'rms_norm_eps':"), so that all of them are told.
    """
    said = " ".join(str(error).split())
    said = said if " " in said else f"{type(error).__name__}: {said}".removesuffix(": ")
    return said if len(said) <= 300 else f"{said[:296]} ..."


def first_of(words: Sequence[str], most: int, between: str = ", ") -> str:
    """The first `most` of the words, and how many more there are: "a, b, c and 4 more"."""
    return between.join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


GROUPED: Final = re.compile(r"-?[1-9]\d{0,2}(\.\d{3})*\.\d{2}0")
"""A number whose digits a point may group, as in German. Nobody writes three decimals of a count, the last of them 0."""


def grouped(text: str) -> str:
    """What to write for a count such as 20.000, which may be 20,000 or 20; empty for what is not written so."""
    if not GROUPED.fullmatch(text):
        return ""
    of_so_many = f", or {float(text):g} for so many" if text.count(".") == 1 else ""
    return f"write {text.replace('.', '')}{of_so_many}: a point groups no digits"


OFFERED = 3
"""Names that a message offers."""
SHORT = 3
"""Letters up to which a name shares some with many (gpu, pue), so that it must begin alike to be near."""


VERSION: Final = re.compile(r"(?<![a-z0-9.])v?\d+(?:\.\d+)*(?![a-z0-9.])")
"""The part of a model's name, in small letters, that is a version or a date."""


def nearest(name: str, known: Iterable[str], n: int = OFFERED, cutoff: float = 0.4) -> list[str]:
    """Up to `n` known names that look most like `name`, best first; less alike than `cutoff` (0 to 1) is none.

    A name of the same letters in another order is nearest: two of them are often exchanged in typing. Then comes the shortest
    one that only adds a version or a date (gpt-4.1-mini, gpt-4.1-mini-2025-04-14), then those that differ in versions alone
    (llama-8b, llama-3.1-8b). A whole word of the name that none of these has, and another known one does, is offered last
    (uses_batch, batch_share). Of names that are as near, the first in the alphabet comes first, whatever the order of `known`,
    which may be a set.
    """
    from difflib import SequenceMatcher, get_close_matches  # only where somebody was mistaken

    def alike(low: str) -> tuple[float, str]:
        return -SequenceMatcher(None, mine, low).ratio(), low

    mine, every = name.lower()[:80], {k.lower(): k for k in sorted(known)}
    by_lower = {low: k for low, k in every.items() if low[:1] == mine[:1] or min(len(low), len(mine)) > SHORT}
    exchanged = [low for low in every if low != mine and sorted(low) == sorted(mine)]
    dated = sorted((low for low in every if re.match(rf"{re.escape(mine)}-\d", low)), key=len)[:1] if len(mine) > SHORT else []
    unversioned = _words(VERSION.sub("", mine))
    same = sorted((low for low in by_lower if _words(VERSION.sub("", low)) == unversioned), key=alike) if unversioned else []
    close = get_close_matches(mine, list(by_lower), n=n, cutoff=cutoff)
    found = list(dict.fromkeys([*exchanged, *dated, *same, *close]))[:n]
    missing = [word for word in _words(mine) if len(word) > SHORT and not any(word in _words(low) for low in found)]
    having = [low for low in by_lower if set(missing) & set(_words(low))] if found else []
    having = sorted(having, key=alike)[: max(n - 1, 0)]
    return [every[low] for low in [*found[: n - len(having)], *having]]


def _words(name: str) -> list[str]:
    """The words of a name that signs part."""
    return [word for word in re.split(r"[\W_]+", name) if word]


def names_with(text: str, known: Iterable[str]) -> list[str]:
    """The known names that have the text in them: h100 is in H100-80GB-SXM, haiku45 in claude-haiku-4.5.

    Signs and capitals count for nothing, and versions may be left out (llama70, in llama-3.1-70b). First come those in which it
    begins a word, of these the shortest. A text of few letters is in too many.
    """
    letters = "".join(_words(text.lower()))
    if len(letters) <= SHORT:
        return []
    inside = re.compile(r"[\W_]*".join(letters))
    begins, ranks = re.compile(rf"(?<![^\W_]){inside.pattern}"), dict[str, tuple[bool, int, str]]()
    for low, name in {each.lower(): each for each in sorted(known)}.items():
        spelled = low, VERSION.sub("", low)
        if any(map(inside.search, spelled)):
            ranks[name] = not any(map(begins.search, spelled)), len(name), name
    return sorted(ranks, key=lambda name: ranks[name])


def nearest_told(name: str, known: Iterable[str], n: int = OFFERED, cutoff: float = 0.4) -> str:
    """The end of a message about a name that is not known: "; nearest: a, b", or nothing where none is like it."""
    near = nearest(name, known, n, cutoff)
    return f"; nearest: {', '.join(near)}" if near else ""


LONGEST_PATH = 4096
"""Characters of a path that any system takes."""


def check_type(name: str, value: object, types: type | UnionType, allowed: str) -> None:
    """InputError where the argument `name` of a function is of another type; `allowed` says in words what it takes."""
    if not isinstance(value, types):
        raise InputError(f"{name}: {type(value).__name__} is not usable; {allowed}")


def path_of(name: str, value: object) -> Path:
    """The path that the argument `name` is; InputError where it names no file."""
    check_type(name, value, Path | str, "a path")
    if not str(value).strip() or "\0" in str(value) or len(str(value)) > LONGEST_PATH:
        raise InputError(f"{name}: {str(value)[:60]!r} names no file")
    return Path(str(value))


def paths_of(name: str, values: object) -> tuple[Path, ...]:
    """The paths in a list or a tuple; InputError where it is none, or holds something else."""
    check_type(name, values, list | tuple, "a list of paths")
    assert isinstance(values, list | tuple)
    return tuple(path_of(name, value) for value in values)


ALIKE: Final = 0.7
"""How like the name of a file that is not there another's must be to be meant (0 to 1), endings aside."""


def nearest_file(path: Path, *, folders: bool = False) -> str:
    """The end of a message about a file that is not there: "; nearest: ..." with the most alike one beside it, or nothing.

    It is of the same ending, else of the same name with another, else of one that is alike as its name is. Where nothing
    there is, it is one of the same name in a folder below, or in the folder that is meant where that is not there either. With
    `folders` one that may stand in its place is named too.
    """
    if (beside := _inside(path.parent)) is not None:
        below = (each / path.name for each in beside if each.is_dir() and not each.name.startswith("."))
        found = _most_alike(path, beside, folders=folders) or next((each for each in below if each.is_file()), None)
        return f"; nearest: {found}" if found else ""
    meant = _most_alike(path.parent, [each for each in _inside(path.parent.parent) or () if each.is_dir()], folders=True)
    found = meant and (_most_alike(path, _inside(meant) or (), folders=folders) or meant)
    return f"; no folder {path.parent}{f'; nearest: {found}' if found else ''}"


def _inside(folder: Path) -> list[Path] | None:
    """What lies in the folder, sorted; None where it cannot be looked into."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return None


def _most_alike(path: Path, there: Iterable[Path], *, folders: bool) -> Path | None:
    """The one of the paths whose name is most like that of `path`; None where none is like it."""
    every = [each for each in there if folders or each.is_file()]
    stems = {each.stem: each for each in every if each.stem.lower() == path.stem.lower()}
    stems |= {each.stem: each for each in every if each.suffix.lower() == path.suffix.lower()}
    near = [path.stem] if path.stem in stems else nearest(path.stem, stems, 1, ALIKE) or _one_letter_off(path.stem, stems)
    if near:
        return stems[near[0]]
    mistyped = {each.stem: each for each in every if nearest(path.suffix, [each.suffix], 1, ALIKE)}
    near = nearest(path.stem, mistyped, 1, ALIKE)
    return mistyped[near[0]] if near else None


def _one_letter_off(stem: str, stems: Iterable[str]) -> list[str]:
    """The stem that is this one with a letter more, less, or another but the first, where it is the only one.

    Names so short are like many others.
    """
    def less(name: str) -> set[str]:
        return {name[:k] + name[k + 1:] for k in range(len(name))}

    mine, found = stem.lower(), list[str]()
    for each in stems:
        other = each.lower()
        another = len(other) == len(mine) > 1 and other[0] == mine[0] and sum(map(ne, other, mine)) == 1
        if another or other in less(mine) or mine in less(other):
            found.append(each)
    return found if len(found) == 1 else []


DAYS: Final = re.compile(r"(\d{4})[/.]?(\d\d)[/.]?(\d\d)|(\d{1,2})([./-])(\d{1,2})\5(\d{4})")
"""A day as 2026/11/24 or 20261124, or with its year last: 24.11.2026, 11/24/2026."""


def day_meant(text: str) -> str:
    """What to write for a day in another form; nothing where day and month cannot be told apart, or there is no such day."""
    from datetime import date  # for a mistake

    if (found := DAYS.fullmatch(text.strip())) is None:
        return ""
    year, month, day, first, sign, second, last = found.groups()
    if year is None:
        year, month, day = (last, second, first) if sign == "." or int(first) > 12 else (last, first, second)
        if sign != "." and int(first) <= 12 and int(second) <= 12:
            return ""
    try:
        return f"; write {date(int(year), int(month), int(day))}"
    except ValueError:
        return ""


def allowed(problem: Mapping[str, object]) -> str:
    """What the field of a problem takes, as every message says it."""
    if str(problem.get("type")).startswith(("date_from", "date_parsing", "date_type")):
        return "it should be a day such as 2026-11-24"
    told = str(problem["msg"]).removeprefix("Value error, ").replace("Input should be", "it should be")
    return told.replace("Field required", "needed and not given")


def not_usable(problem: Mapping[str, object]) -> str:
    """What is wrong with a field of a file: its value and what it takes, or that it is needed and not given."""
    told = allowed(problem)
    return told if problem.get("type") == "missing" else f"{str(problem.get('input'))[:40]!r} is not usable; {told}"
