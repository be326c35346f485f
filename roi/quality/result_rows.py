"""What is read of an evaluation: a row for each item and system, what was asked of the reader, and what it noticed."""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from shlex import quote
from typing import Any, Final, NamedTuple

from roi.errors import InputError

Document = dict[str, Any]  # Any: JSON as it was parsed
LONGEST_ID: Final = 200
"""Characters of an id; what is longer is a text, and is not kept."""
BARE: Final = frozenset({bool, int, float})
"""Classes of numbers as JSON has them."""
RIGHT: Final = frozenset({"1", "c", "correct", "true", "yes", "y", "pass", "passed", "right", "success", "good",
                          "wahr", "vrai", "verdadero", "vero"})
WRONG: Final = frozenset({"0", "i", "n", "incorrect", "false", "no", "fail", "failed", "wrong", "failure", "bad",
                          "falsch", "faux", "falso"})
"""Words for a right and a wrong answer, in lower case, of spreadsheets in other languages too; C and I are Inspect's, whose N
(no answer) is wrong too."""
NO_SCORE: Final = "no score: empty, or a text that says neither right nor wrong"
FAILED: Final = "the call failed: an error, no answer"
WORD: Final = re.compile(r"[^\W\d_](?:[^\W\d_]| |-|/){0,23}")
"""What may be shown of a column of scores: a word or two, no answer that stands in the wrong column."""
SILENT: Final = re.compile(r"(no|without|missing|empty)[ -]?(response|answer|output|reply|result)s?|not given|none|null|nil|na"
                           r"|n/a|empty|missing|error(ed)?|crash(ed)?|timed?[ -]?out|skipped|cancell?ed|refus(ed|al)")
"""Words, in lower case, of a call that brought no answer: nothing that is there to be used."""
HALVES: Final = re.compile(r".*(part|half|halb|mixed|some|teil|medio)")
"""Words, in lower case, of an answer that is neither right nor wrong."""
MOST_WORDS: Final = 6
LETTERS: Final = frozenset("abdef")
"""Grades by letter, whose c would be Inspect's word for right."""
SCALE: Final = "--scale 1..5 says from where to where it goes, --right-from 4 from where on an answer is right"
NOT_JSON: Final = "a line that is no JSON object"


class Row(NamedTuple):
    """One judged answer. Ids are None where the file has none."""

    item: object
    system: object
    score: float | None
    """Score of the item in [0, 1]; None where there is none."""
    cluster: object = None
    weight: object = None
    run: object = None
    escalated: object = None
    lacks: str = NO_SCORE
    """Why there is no score, where there is none."""


@dataclass(frozen=True)
class Asked:
    """What the user said about the files."""

    metric: str | None = None
    filter: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    """(what, the file's own name of the column)."""
    repeats: bool = False
    """True where an item that occurs twice is a repeated run."""
    unscored_wrong: bool = False
    """True where an item without a score, such as a failed call, counts as wrong; else it is left out."""
    systems: tuple[tuple[str, str], ...] = ()
    """(name in the files, or of a file, and what it is called in the scenario)."""
    scale: tuple[float, float] | None = None
    """From where to where scores go, as of grades from 1 to 5; a score is then its share of the way. None: from 0 to 1."""
    right_from: float | None = None
    """The lowest score, as the files write it, of a right answer: others are wrong. None: scores are shares."""
    words: tuple[tuple[str, float], ...] = ()
    """(word of a score, the score that it stands for, as the files write scores); one letter is then no other word."""
    met: set[str] = field(default_factory=set, compare=False)
    """Words of `words` that were read, and files of `systems` whose system was asked for."""

    def __post_init__(self) -> None:
        """Raise InputError where no score of the scale, or every one, would be right, and where a word stands for none."""
        least, most = self.ends
        for word, value in () if self.scale is None and self.right_from is not None else self.words:
            if not least <= value <= most:
                raise InputError(f"--word: {word[:40]}={value:g} is not usable; a score from {least:g} to {most:g}"
                                 f"{self._on_scale(value)}")
        if self.scale is not None and self.right_from is not None and not self.scale[0] < self.right_from <= self.scale[1]:
            low, high = self.scale
            raise InputError(f"--right-from: {self.right_from:g} is not usable; above {low:g} and at most {high:g} (--scale)")

    @property
    def ends(self) -> tuple[float, float]:
        """The scores of a wrong and of a right answer, as the files write them."""
        if self.scale is None and self.right_from is not None:
            return min(0.0, self.right_from - 1.0), self.right_from
        return self.scale or (0.0, 1.0)

    def _on_scale(self, value: float) -> str:
        """What a word's value outside of the scale may be meant to be on it; empty without a scale."""
        if self.scale is None:
            return ""
        low, high = self.scale
        meant = (f"{value:g} of the way is {low + value * (high - low):g}" if 0 <= value <= 1 else
                 f"nearest: {min(max(value, low), high):g}")
        return f", as the files write it (--scale); {meant}"

    def system_of_file(self, path: str) -> str | None:
        """What was said to be the system of a file, by its path or its name."""
        file, system = next((each for each in self.systems if each[0] in {path, path.rpartition("/")[2]}), ("", None))
        self.met.add(file)
        return system

    def word(self, word: str) -> float | None:
        """The score that a word in lower case stands for, which is then met; None where nobody said it."""
        said, score = next((each for each in self.words if each[0].strip().lower() == word), ("", None))
        self.met.add(said)
        return score

    @property
    def read_as(self) -> str:
        """How a score is read, to be told behind its name; empty where it is a share as it stands."""
        scale = "" if self.scale is None else f" of {self.scale[0]:g} to {self.scale[1]:g}"
        scale += f" ({', '.join(f'{one_line(word)} {value:g}' for word, value in self.words)})" if self.words else ""
        return f"{scale}, right from {self.right_from:g}" if self.right_from is not None else scale


PLAIN: Final = Asked()
"""What is asked where the user asks for nothing."""


@dataclass
class Notes:
    """What reading noticed, for the reader of the answer."""

    asked: Asked = PLAIN
    left_out: dict[str, int] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)
    """The first place of each reason."""
    tried: dict[str, None] = field(default_factory=dict)
    """What was tried several times on the same items: filters, prompts; in order."""
    metrics: dict[str, None] = field(default_factory=dict)
    """What the scores are, in order."""
    dates: list[str] = field(default_factory=list)
    """Days on which results were made, ISO, as the files state them."""
    sources: list[tuple[str, str, int]] = field(default_factory=list)
    """(file, what it is, rows that count)."""
    cut_short: list[str] = field(default_factory=list)
    """Sentences on runs that ended before their end."""
    load_alone: dict[str, int] = field(default_factory=dict)
    """Answers of a system, as the files call it, that failed by how long they took or what they cost alone."""
    words: dict[str, int] = field(default_factory=dict)
    """Words in the place of a score that say neither right nor wrong, with their rows."""
    empty: list[str] = field(default_factory=list)
    """Sentences on files without a row, which are left out."""

    def unread(self, mark: object) -> None:
        """Count a mark that is no score, where it is a word."""
        if isinstance(mark, str) and WORD.fullmatch(word := mark.strip()) and len(self.words) <= MOST_WORDS:
            self.words[word] = self.words.get(word, 0) + 1

    def told_words(self) -> str:
        """The words that recur, with their rows and what counts them; empty where none does, or they are texts."""
        often = {word: rows for word, rows in self.words.items() if rows > 1}
        if not often or len(self.words) > MOST_WORDS:
            return ""
        told = ", ".join(f"{rows:,} x {word!r}" for word, rows in often.items())
        return f"{told}; say what each counts, once for each: {_counting(next(iter(often)), self.asked)}"

    def drop(self, reason: str, where: str, rows: int = 1) -> None:
        """Count rows that are left out."""
        if rows:
            self.left_out[reason] = self.left_out.get(reason, 0) + rows
            self.where.setdefault(reason, where)

    def told(self) -> str:
        """The reasons for which rows are left out, with how many; empty where none is."""
        return "; ".join(f"{count:,} x {reason} (first: {self.where[reason]})" for reason, count in self.left_out.items())


@dataclass(frozen=True)
class Source:
    """An opened file: its documents one by one, each with its place, and what stands beside them.

    `first` is empty where there is none, as in a log of a run that ended before its first sample.
    """

    path: str
    head: Document
    """Values beside the rows, by dotted path: those before the first row, in the end all."""
    first: Document
    documents: Iterator[tuple[str, Document]]
    """Documents with their places, the first one included."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """One kind of file."""

    title: str
    columns: tuple[str, ...]
    """Names that its rows have, in lower case and without underscores: to tell which format an unknown file is nearest to."""
    recognises: Callable[[Document, Document], bool]
    """True where a file is of this format, from what stands beside the rows and the first row."""
    rows: Callable[[Source, Asked, Notes], Iterator[tuple[str, Row]]]
    """Each row with its place."""


def _counting(word: str, asked: Asked) -> str:
    """How a word is told to count, in the files' unit: silence as wrong, half an answer as half, the rest by who knows it."""
    plain, (low, high) = word.lower(), asked.ends
    if plain in LETTERS and asked.scale is None:
        return f"--word {word}=4 --scale 0..4, as a school's A may"
    if SILENT.fullmatch(plain):
        return f"--word {quote(f'{word}={low:g}')}, or --unscored wrong for all that have no score"
    if HALVES.match(plain) and asked.right_from is None:
        return f"--word {quote(f'{word}={(low + high) / 2:g}')}"
    return f"--word {quote(f'{word}={high:g}')} where it is right, {quote(f'{word}={low:g}')} where it is wrong"


def read_scale(text: str) -> tuple[float, float]:
    """(low, high) of a scale as --scale writes it, 1..5; InputError where it is none."""
    low, _, high = text.partition("..")
    ends = number(low), number(high)
    if ends[0] is None or ends[1] is None or not -math.inf < ends[0] < ends[1] < math.inf:
        raise InputError(f"--scale: {text[:40]!r} is not usable; write the lowest and the highest score, such as 1..5")
    return ends[0], ends[1]


def scores_of(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, float], ...]:
    """Words with the number that each stands for; InputError where one stands for none."""
    read = [(word, number(text)) for word, text in pairs]
    if bad := next((word for word, value in read if value is None or not math.isfinite(value)), None):
        raise InputError(f"--word: {bad[:40]!r} stands for no number; write it as partial=0.5")
    return tuple((word, value) for word, value in read if value is not None)


def share(mark: object, where: str, asked: Asked = PLAIN) -> float | None:
    """The mark as a share of right, in [0, 1], by the scale that was asked for; None where it is none, InputError outside."""
    graded = asked.scale is not None or asked.right_from is not None
    if mark.__class__ in BARE and not graded and 0 <= mark <= 1:  # type: ignore[operator]  # nearly every row of a long file
        return float(mark)  # type: ignore[arg-type]
    if isinstance(mark, str):
        word = mark.strip().lower()
        value = number(word.removesuffix("%"))
        if value is None and (value := asked.word(word)) is None:
            known = asked.words == () or len(word) > 1
            return None if not known else 1.0 if word in RIGHT else 0.0 if word in WRONG else None
        if word.endswith("%") and not graded:
            raise InputError(f"{where}: a score of {value:g}%; a score is a share of right, 0 to 1; percent? --scale 0..100")
        mark = value
    if isinstance(mark, bool) or not isinstance(mark, (int, float)) or mark != mark:  # noqa: PLR0124 -- NaN: an unscored item
        return float(mark) if isinstance(mark, bool) else None
    low, high = asked.scale or ((-math.inf, math.inf) if graded else (0.0, 1.0))
    if not low <= mark <= high:
        shown = f"{mark:g}" if isinstance(mark, float) else str(mark)[:40]
        if graded:
            raise InputError(f"{where}: a score of {shown}; --scale says {low:g} to {high:g}")
        percent = "; percent? --scale 0..100" if 10 < mark <= 100 else f"; {SCALE}" if 1 < mark <= 10 else ""
        raise InputError(f"{where}: a score of {shown}; a score is a share of right, 0 to 1{percent}")
    if asked.right_from is not None:
        return float(mark >= asked.right_from)
    return float(mark) if asked.scale is None else (mark - low) / (high - low)


def number(text: str) -> float | None:
    """The number that a text is, with a point or a comma before its decimals; None where it is none."""
    try:
        return float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
    except ValueError:
        return None


def block(value: object) -> Document:
    """The value where it is a block of keys, else an empty one."""
    return value if isinstance(value, dict) else {}


def one_line(name: str) -> str:
    """The name without control characters, which messages and reports would show."""
    return " ".join("".join(ch if ch.isprintable() else " " for ch in name).split()) or "(no name)"


def one_of(names: list[str], asked: str | None, option: str, where: str) -> str:
    """The name that was asked for, or the only one; InputError with the names where that is open."""
    if asked is not None and asked in names:
        return asked
    listed = ", ".join(one_line(name[:40]) for name in names[:8])
    if asked is not None:
        raise InputError(f"{option}: {where} has no {asked[:40]!r}; there is {listed or 'none'}")
    if len(names) == 1:
        return names[0]
    raise InputError(f"{where}: {f'several ({listed})' if names else 'none'}; choose one with {option}")
