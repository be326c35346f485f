"""What files say of a scenario, as the blocks that `load_scenario` lays over it: usage logs, results of an evaluation."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date as Date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from roi.answers.quality import QualityAnswer, QualityQuestion, answer_quality
from roi.api.arguments import day_of, in_python, reworded
from roi.api.frames import Called, Frame, write_lines, write_parquet, written
from roi.catalog.prices.api_prices import find_provider
from roi.errors import InputError, NotAChoice, check_type
from roi.quality.result_rows import Asked, read_scale
from roi.report.layout.blocks import Block, render
from roi.report.layout.html_blocks import render_html
from roi.report.quality.quality import answers_of, quality_blocks
from roi.scenario.file import BLOCKS
from roi.scenario.quantity import LARGEST, SMALLEST
from roi.scenario.yaml import PART_SCHEMA, QUALITY_PART, parse_yaml

if TYPE_CHECKING:
    from roi.usage.summary import Usage

OF_USAGE: Final = {
    "--map": "columns", "--incumbent": "incumbent", "--task": "task", "--provider": "provider", "--model": "model",
    "--requests-per-day": "requests_per_day", "--bill": "bill_usd_per_month", "--dates": "dates",
    "--input-includes-cache": "input_includes_cache", "--without": "without", "--output": "files",
}  # fmt: skip
"""Arguments of `measure_usage`, by the options of `roi usage` that say the same."""
OF_QUALITY: Final = {
    "--map": "columns", "--incumbent": "incumbent", "--system": "systems", "--metric": "metric", "--bar": "bar",
    "--repeats": "repeats=True", "--margin": "margin", "--output": "files", "--scale": "scale", "--right-from": "right_from",
    "--word": "words",
}  # fmt: skip
"""Arguments of `measure_quality`, by the options of `roi quality` that say the same."""


HEADING: Final = ("what settles it", "which days")
"""Comments with which a part begins, of what is no warning."""


def measure_usage(
    *files: Path | str | Frame, incumbent: str | None = None, bill_usd_per_month: float | None = None,
    as_of: Date | str | None = None,
    task: str | None = None, requests_per_day: float | None = None, columns: Mapping[str, str] | None = None,
    provider: str | None = None, model: str | None = None, dates: Literal["iso", "us", "eu"] = "iso",
    input_includes_cache: bool | None = None, without: Sequence[Date | str] = (),
) -> "MeasuredUsage":
    """Workload and incumbent as usage logs and exports settle them; needs the extra [usage].

    A dict for `load_scenario(part=...)`, with `warnings`: what the records do not tell, rows that are left out, and what else
    `roi usage` notes. In a notebook it shows what `roi usage` prints of them, and `print` gives it as text.

    Args:
        *files: what a provider, a gateway or a tool exports, by its path; several of one kind are read together
            (docs/usage.md). A table in memory (pandas, polars, Arrow, Ibis) is taken as a file of its columns.
        incumbent: the model that is to be replaced, where the files name several.
        bill_usd_per_month: what was really paid, where you know it.
        as_of: the scenario's day, a date or a text such as 2026-11-24, at whose list prices the bill is told; None: today.
        task: the group of calls whose workload is wanted; None: all of the incumbent's.
        requests_per_day: where the files count tokens and no requests.
        columns: of a table of your own, the column of each thing: `{"time": "when", "input": "tokens in"}`.
        provider: who is paid, where the files do not say.
        model: the model, where the files do not say.
        dates: how a table of your own writes dates: iso, us (month/day/year) or eu (day/month/year).
        input_includes_cache: whether the input counts cached tokens too, where the format leaves it open.
        without: days (UTC) that are left out, as that of a job which will not come again: dates, texts such as 2026-11-09, and
            ranges of both ends such as 2026-12-24..2027-01-01.

    Raises:
        InputError: a file cannot be read, or the files settle no workload.

    Example:
        >>> from roi import load_scenario, measure_usage
        >>> part = measure_usage("examples/openai_export.csv", incumbent="gpt-6-sol")
        >>> round(part["workload"]["requests_per_day"]["value"])
        16326
        >>> load_scenario(part=part).incumbent.model
        'gpt-6-sol'
        >>> [told for told in part.warnings if told.startswith("not told: lengths")]
        ['not told: lengths: rows are buckets: the mean length is known, not its spread']
    """
    from roi.usage.measure.scenario_part import part_yaml
    from roi.usage.measure.without import read_spans
    from roi.usage.read.record import Dates, FileOptions
    from roi.usage.summary import Question, summarize

    if not files:
        raise InputError("files: needed and not given; name what was exported")
    check_type("incumbent", incumbent, str | None, "the name of a model, or None")
    day = day_of("as_of", as_of)
    if bill_usd_per_month is not None:
        _check_number("bill_usd_per_month", bill_usd_per_month, (SMALLEST, LARGEST), "USD above 0")
    if requests_per_day is not None:
        _check_number("requests_per_day", requests_per_day, (SMALLEST, LARGEST), "a number above 0")
    for name, value in (("task", task), ("provider", provider), ("model", model)):
        check_type(name, value, str | None, "a name, or None")
    check_type("input_includes_cache", input_includes_cache, bool | None, "True, False or None")
    check_type("without", without, list | tuple, "a list of dates, or of texts such as 2026-11-09")
    for each in without:
        check_type("without", each, Date | str, "dates, or texts such as 2026-11-09")
    if dates not in get_args(Dates):
        raise NotAChoice("dates", dates, get_args(Dates))
    options = FileOptions(columns=_pairs("columns", columns), model=model, dates=dates, includes_cache=input_includes_cache,
                          provider=None if provider is None else find_provider(provider, "provider"))
    days = read_spans([each if isinstance(each, str) else f"{each:%Y-%m-%d}" for each in without], "without")
    with written("files", files, write_parquet, ".parquet") as (paths, called), in_python(OF_USAGE, "roi usage"), _told():
        question = Question(files=paths, options=options, incumbent=incumbent, task=task,
                            requests_per_day=requests_per_day, without=days, bill_usd_per_month=bill_usd_per_month)
        spent = summarize(question)
        return MeasuredUsage(part_yaml(spent, bill_usd_per_month, day), spent, called)


class Measured(dict[str, Any]):
    """Blocks of a scenario as a dict, which show themselves as the report of the command that measures them."""

    _called: Called
    """Calls tables in memory by their names."""

    def _blocks(self) -> Iterable[Block]:
        raise NotImplementedError

    def __str__(self) -> str:
        return self._called(render(list(self._blocks())))

    def _repr_html_(self) -> str:
        return self._called(render_html(list(self._blocks())))


class MeasuredUsage(Measured):
    """The blocks `workload` and `incumbent` of a scenario, as a dict; in a notebook the report of `roi usage`."""

    def __init__(self, part: str, spent: "Usage", called: Called = str) -> None:
        super().__init__(_blocks(part, PART_SCHEMA))
        said = [line.removeprefix("# ") for line in part.splitlines() if line.startswith("# ")]
        left_out = [f"{each.rows:,} left out: {each.reason}" + (f"; first: {each.where}" if each.where else "")
                    for each in spent.dropped]
        told = (*spent.notes, *left_out, *(line for line in said[len(HEADING):] if not line.startswith("read: ")))
        self.warnings: tuple[str, ...] = tuple(reworded(called(each), OF_USAGE) for each in dict.fromkeys(told))
        """What the records do not tell, rows that are left out, and what else is to be known of them."""
        self._spent, self._called = spent, called

    def _blocks(self) -> Iterable[Block]:
        from roi.report.usage.spend_report import usage_blocks

        return usage_blocks(self._spent, ())


def measure_quality(
    *files: Path | str | Frame, incumbent: str | None = None, bar: float | None = None,
    columns: Mapping[str, str | Sequence[str]] | None = None, systems: Mapping[str, str] | None = None,
    metric: str | None = None, repeats: bool = False, margin: float = 0.02, scale: str | None = None,
    right_from: float | None = None, words: Mapping[str, float] | None = None,
) -> "MeasuredQuality":
    """The block `quality` as results per item and system settle it, and whether each system is good enough.

    A dict for `load_scenario(quality=...)`, with two attributes: `answers`, of each system but the incumbent a dict of
    `good_enough` (yes, no or unknown), the `sentence`, `more_items` and what else docs/json.md names; and `warnings`. In a
    notebook it shows what `roi quality` prints, and `print` gives it as text.

    Args:
        *files: results, as docs/quality.md lists them, by their paths; prompts and answers are never read. A table in memory
            (pandas, polars, Arrow, Ibis) is taken as a file of its columns.
        incumbent: the system that is paid today, as the files call it; may be left out where they hold one system.
        bar: the lowest score that is acceptable.
        columns: of a table of your own, the column of each thing: `{"item": "question", "score": "ok"}`; of a table with a
            column for each system, these: `{"item": "question", "score": ["gpt-6-sol", "gpt-6-luna"]}`.
        systems: what a system of the files, or a file that names none, is called in the scenario.
        metric: which score is meant, where the files have several.
        repeats: True where an item that occurs twice for a system is a repeated run.
        margin: how much worse than the incumbent is still as good, as a share of right answers.
        scale: from where to where scores go, such as "1..5"; None: from 0 to 1.
        right_from: the lowest score of a right answer, as the files write it; None: scores are shares of right.
        words: what a word of a score counts, as the files write scores: `{"partially correct": 0.5}`.

    Raises:
        InputError: the files hold several systems and no item of both, or no score.

    Example:
        >>> from roi import load_scenario, measure_quality
        >>> files = "examples/quality_promptfoo.json", "examples/quality_rows.jsonl"
        >>> quality = measure_quality(*files, incumbent="gpt-6-sol", bar=0.85)
        >>> sorted(quality["scores"])
        ['gpt-6-luna', 'gpt-6-sol', 'qwen3-8b', 'qwen3-8b+lora']
        >>> load_scenario(quality=quality).quality.bar
        0.85
        >>> {each["system"]: each["good_enough"] for each in quality.answers}
        {'gpt-6-luna': 'unknown', 'qwen3-8b+lora': 'unknown', 'qwen3-8b': 'no'}
    """
    check_type("incumbent", incumbent, str | None, "a system, as the files call it")
    if bar is not None:
        _check_number("bar", bar, (0.0, 1.0), "a share of right answers, 0 to 1")
    _check_number("margin", margin, (0.0, 1.0), "a share of right answers, 0 to 1")
    check_type("metric", metric, str | None, "the name of a score, or None")
    check_type("repeats", repeats, bool, "True or False")
    check_type("scale", scale, str | None, 'a text such as "1..5", or None')
    if right_from is not None:
        _check_number("right_from", right_from, (-1e9, 1e9), "a score, as the files write it")
    check_type("words", words, Mapping | None, "a mapping of words, such as {'partial': 0.5}")
    for word, value in (words or {}).items():
        check_type("words", word, str, "words are texts")
        _check_number("words", value, (-1e9, 1e9), "a score, as the files write it")
    with written("files", files, write_lines, ".jsonl") as (paths, called), in_python(OF_QUALITY, "roi quality"), _told():
        asked = Asked(columns=_pairs("columns", columns), systems=_pairs("systems", systems), metric=metric, repeats=repeats,
                      scale=None if scale is None else read_scale(scale), right_from=right_from,
                      words=tuple((words or {}).items()))
        question = QualityQuestion(files=paths, asked=asked, incumbent=incumbent, bar=bar, margin=margin)
        answer = answer_quality(question, Date.min)  # the day is left out
        return MeasuredQuality(_blocks(called(answer.part), QUALITY_PART)["quality"], answer, called)


class MeasuredQuality(Measured):
    """The block `quality` of a scenario, as a dict, with what the results say; in a notebook the report of `roi quality`."""

    def __init__(self, block: Mapping[str, Any], answer: QualityAnswer, called: Called = str) -> None:
        super().__init__(block)
        self.answers: tuple[dict[str, Any], ...] = tuple(answers_of(answer))
        """For each system but the incumbent: `good_enough` (yes, no or unknown), `sentence`, `more_items` (docs/json.md)."""
        self.warnings: tuple[str, ...] = tuple(reworded(called(each), OF_QUALITY) for each in answer.warnings)
        """What makes the results say less than their figures."""
        self._answer, self._called = answer, called

    def _blocks(self) -> Iterable[Block]:
        return quality_blocks(self._answer)


def _pairs(name: str, given: object) -> tuple[tuple[str, str], ...]:
    """The names of a mapping and what each stands for; InputError where either is no text."""
    check_type(name, given, Mapping | None, "a mapping of names, such as {'time': 'when'}")
    assert given is None or isinstance(given, Mapping)
    lists = {key: value if isinstance(value, list | tuple) else [value] for key, value in (given or {}).items()}
    pairs = tuple((key, each) for key, several in lists.items() for each in several)
    for each in pairs:
        for word in each:
            check_type(name, word, str, "names and what they stand for are texts")
    return pairs


@contextmanager
def _told() -> Iterator[None]:
    """What the system says of a file that cannot be read, as the error that the functions name."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{error.filename or 'files'}: {error.strerror or error}") from error


def _check_number(name: str, value: object, within: tuple[float, float], allowed: str) -> None:
    """InputError where the argument is no number within the bounds."""
    check_type(name, value, int | float, allowed)
    assert isinstance(value, int | float)
    if isinstance(value, bool) or not within[0] <= value <= within[1]:
        raise InputError(f"{name}: {str(value)[:40]} is not usable; {allowed}")


def _blocks(text: str, schema: str) -> dict[str, Any]:
    """What a part holds of the scenario, without its schema and the record for a next run."""
    part = parse_yaml(text, schema)
    return {name: part[name] for name in BLOCKS[schema] if name in part and name != "record"}
