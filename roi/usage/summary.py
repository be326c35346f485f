"""The spine of the room: files to records to a handful of sums to `Usage`, what was spent and on what."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from roi.errors import InputError, UnknownName
from roi.usage.formats import FORMATS
from roi.usage.measure.aggregate import Spend, spend_by_day, spend_by_group
from roi.usage.measure.call_trace import write_trace
from roi.usage.measure.days import DAY_US, Days, complete_days
from roi.usage.measure.pricing import Priced, day_of, price_spend
from roi.usage.measure.reconcile import Reconciliation, reconcile
from roi.usage.measure.workload import Choice, MeasuredWorkload, measure_workload
from roi.usage.read.database import local_engine, remote_engine, remote_table
from roi.usage.read.detect import format_named, of_header
from roi.usage.read.files import SourceFile, find_files
from roi.usage.read.raw import readably, wanted
from roi.usage.read.record import NO_TIME, TOKENS, Asked, null_text
from roi.usage.read.staging import Part, Staged, stage, together
from roi.usage.read.text_rows import Trouble

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends import BaseBackend
    from ibis.backends.duckdb import Backend as DuckDB

MAIN_SHARE: Final = 0.9
"""A model with at least this share of what was spent is the incumbent without being named."""


@dataclass(frozen=True)
class Question:
    """What the user asks of the files."""

    files: tuple[str, ...]
    asked: Asked
    named: str | None = None
    """Format of the files, where the user says it."""
    strict: bool = False
    """Refuse where a row is left out, in place of saying so."""
    zone: str = "UTC"
    """Of times without an offset."""
    incumbent: str | None = None
    """provider/model or model whose workload is wanted."""
    task: str | None = None
    """Group whose workload is wanted."""
    bill_usd_per_month: float | None = None
    requests_per_day: float | None = None
    backend: str | None = None
    """Ibis URL; `files` is then the name of one table."""
    trace: Path | None = None
    """Where arrivals and lengths go."""


@dataclass(frozen=True)
class Dropped:
    """Rows that do not count."""

    source: str
    reason: str
    rows: int
    where: str = ""


@dataclass(frozen=True)
class Usage:
    """What was spent."""

    sources: tuple[tuple[str, str, int], ...]
    """(file, format, rows that count)."""
    priced: tuple[Priced, ...]
    """By day, model, batch and tier; rows that count."""
    costs: tuple[Spend, ...]
    """What cost exports report."""
    groups: tuple[Priced, ...]
    days: Days | None
    dropped: tuple[Dropped, ...]
    reconciliations: tuple[Reconciliation, ...]
    workload: MeasuredWorkload | None
    chosen: tuple[Priced, ...]
    """Of `priced`, what the workload is made of; of its group alone where it is one group's."""
    no_workload: str
    """Why there is no workload; empty where there is one."""
    notes: tuple[str, ...]


def summarize(question: Question) -> Usage:
    """What the files say; the temporary folder that holds the counts is gone afterwards.

    Raises InputError for files that cannot be read, formats that count the same calls twice, an unknown incumbent or task, and,
    where the question is strict, for any row that is left out.
    """
    if question.backend is not None:
        return _of_table(question, question.backend)
    files, copies = find_files(question.files)
    with TemporaryDirectory(prefix="roi-usage-") as folder:
        engine = local_engine(Path(folder), question.zone)
        staged = stage(files, FORMATS, question.asked, engine, Path(folder), named=question.named, strict=question.strict)
        if not staged.parts:
            raise InputError(f"FILES: nothing to read; empty: {', '.join(staged.empty[:5])}")
        return readably(lambda: _of_files(question, engine, staged, copies), engine, staged.raws)


def _of_files(question: Question, engine: "DuckDB", staged: Staged, copies: list[tuple[str, str]]) -> Usage:
    records = together(staged.parts)
    found = _summary(question, records, engine, staged, copies)
    if question.trace is not None:
        chosen = found.workload.choice.filter(records) if found.workload else records.filter(records.dropped.isnull())
        write_trace(chosen, engine, question.trace)
    return found


def _of_table(question: Question, url: str) -> Usage:
    """The same for one table of a database: its columns tell the format, and the sums are made there."""
    if len(question.files) != 1:
        raise InputError("FILES: with --backend, give the name of one table")
    if question.trace is not None or question.zone != "UTC":
        raise InputError(f"{'--trace' if question.trace else '--timezone'}: not with --backend; export the calls first")
    name = question.files[0]
    backend = remote_engine(url)
    raw = remote_table(backend, name)
    form = format_named(question.named, FORMATS) if question.named else of_header(raw.columns, FORMATS, name, question.asked)
    records = form.records(wanted(raw, form), question.asked)
    staged = Staged(parts=[Part(form, (SourceFile(None, name),), records, Trouble())])
    return _summary(question, together(staged.parts), backend, staged, [])


def _summary(
    question: Question, records: "ir.Table", backend: "BaseBackend", staged: Staged, copies: list[tuple[str, str]],
) -> Usage:
    every = spend_by_day(records, backend)
    if all(row.dropped is None for row in every):
        records = records.mutate(dropped=null_text())  # nothing is left out, so no row need be checked again
    kept = [row for row in every if row.dropped is None and row.kind != "cost"]
    costs = tuple(row for row in every if row.dropped is None and row.kind == "cost")
    dropped = tuple(_dropped(every, staged))
    if question.strict and dropped:
        first = dropped[0]
        raise InputError(f"--strict: {sum(d.rows for d in dropped):,} rows are left out, {first.rows:,} of them for"
                         f" {first.reason!r}{f' ({first.where})' if first.where else ''}")
    if not kept and not costs:
        worst = dropped[0] if dropped else None
        why = f": {worst.rows:,} rows for {worst.reason!r}{f' ({worst.where})' if worst.where else ''}" if worst else ""
        raise InputError(f"FILES: no row counts{why}{_hint(worst)}")
    _check_double(kept)
    _check_alike(staged, backend)
    days = complete_days(kept)
    priced = tuple(price_spend(kept, days.last if days else 0))
    span = _whole_span(days, kept)
    groups = tuple(price_spend(spend_by_group(records, backend, span), days.last if days else 0)) if kept else ()
    choice, why = choose(priced, groups, question)
    workload, rows = None, []
    if choice is not None and days is not None:
        rows = [row for row in kept if Choice(choice.provider, choice.model).holds(row)]
        if choice.group is not None:
            rows = [row for row in spend_by_day(choice.filter(records), backend) if row.kind != "cost"]
        workload = measure_workload(records, backend, rows, days, choice, question.requests_per_day)
    complete = days.complete if days else ()
    return Usage(
        tuple(_sources(staged, kept, costs)), priced, costs, groups, days, dropped,
        tuple(reconcile(priced, costs, question.bill_usd_per_month, complete)), workload,
        tuple(price_spend(rows, days.last if days else 0)), why,
        tuple(_notes(staged, copies, priced, question)),
    )  # fmt: skip


def _whole_span(days: Days | None, kept: Sequence[Spend]) -> tuple[int, int] | None:
    """From when to when (microseconds) days are covered whole; None where that is everything, or nothing."""
    if days is None or not days.complete:
        return None
    first, end = days.complete[0] * DAY_US, (days.complete[-1] + 1) * DAY_US
    outside = any((row.first_us or first) < first or (row.last_us or first) > end for row in kept)
    return (first, end) if outside else None


def _sources(staged: Staged, kept: Sequence[Spend], costs: Sequence[Spend]) -> Iterator[tuple[str, str, int]]:
    rows: dict[str, int] = defaultdict(int)
    for row in (*kept, *costs):
        rows[row.source] += row.rows
    for name, title in dict.fromkeys((part.format.name, part.format.title) for part in staged.parts):
        files = [file for part in staged.parts if part.format.name == name for file in part.files]
        shown = files[0].shown if len(files) == 1 else f"{len(files)} files such as {files[0].shown}"
        yield shown, title, rows[name]


def _dropped(every: Sequence[Spend], staged: Staged) -> Iterator[Dropped]:
    """Rows left out by reason, most first: those that could not be read, and those that do not count."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    where: dict[tuple[str, str], str] = {}
    for part in staged.parts:
        for reason, rows in part.trouble.rows.items():
            sums[part.format.name, reason] += rows
            where.setdefault((part.format.name, reason), part.trouble.where.get(reason, ""))
    for row in every:
        if row.dropped is not None:
            sums[row.source, row.dropped] += row.rows
    for (source, reason), rows in sorted(sums.items(), key=lambda x: -x[1]):
        yield Dropped(source, reason, rows, where.get((source, reason), ""))


def _check_double(kept: Sequence[Spend]) -> None:
    """Raise where two formats count one model of one provider on the same day: the same calls, most likely, twice."""
    seen: dict[tuple[str | None, int], tuple[str | None, str]] = {}
    for row in kept:
        if row.day is None:
            continue
        provider, other = seen.setdefault((row.model, row.day), (row.provider, row.source))
        if other != row.source and (provider == row.provider or None in (provider, row.provider)):
            raise InputError(f"FILES: {other} and {row.source} both count {row.model} on {day_of(row.day)}; the same calls"
                             " would count twice: give one of them")


def _hint(worst: Dropped | None) -> str:
    """What is read, where the reason is a time."""
    if worst is None or worst.reason != NO_TIME:
        return ""
    return "; times are ISO 8601 (2026-10-05T12:00:00Z, 2026-10-05 12:00), or seconds to nanoseconds since 1970"


def _check_alike(staged: Staged, backend: "BaseBackend") -> None:
    """Raise where files that were read in two ways (a CSV and its Parquet, say) have the same calls on a day."""
    seen: dict[tuple[object, ...], str] = {}
    names = [part.format.name for part in staged.parts]
    for part in staged.parts if len(set(names)) < len(names) else ():
        for row in spend_by_day(part.table, backend):
            key = (row.source, row.day, row.provider, row.model, row.rows, *sorted(row.tokens.items()))
            other = seen.setdefault(key, part.files[0].shown)
            if other != part.files[0].shown and row.dropped is None and row.day is not None and row.rows > 1:
                raise InputError(f"FILES: {other} and {part.files[0].shown} have the same calls on {day_of(row.day)}: the same"
                                 " number and the same tokens; give one of them")


def choose(priced: Sequence[Priced], groups: Sequence[Priced], question: Question) -> tuple[Choice | None, str]:
    """(whose workload is told, why none is): the model that the user names, the only one, or one with MAIN_SHARE of it all."""
    sizes = model_sizes(priced)
    if not sizes:
        return None, "no row counts tokens of a model"
    total = sum(sizes.values()) or 1.0
    if question.incumbent is not None:
        key = _named(question.incumbent, list(sizes))
    elif question.task is not None:
        found = _of_group(question.task, groups)
        if found is None:
            return None, f"group {question.task} runs on several models: say which one, --incumbent provider/model"
        key = found
    else:
        key = max(sizes, key=lambda k: sizes[k])
        if len(sizes) > 1 and sizes[key] / total < MAIN_SHARE:
            shares = ", ".join(f"{model} {size / total:.0%}" for (_, model), size in
                               sorted(sizes.items(), key=lambda x: -x[1])[:4])
            return None, f"several models ({shares}): say which one is the incumbent, --incumbent provider/model"
    group = question.task
    if group is not None:
        there = {each.spend.group for each in groups if (each.spend.provider, each.spend.model) == key}
        known = sorted(name for name in there if name is not None)
        if group not in known:
            raise UnknownName("--task", group, known, f"group of {key[1]}")
    return Choice(key[0], key[1], group), ""


def _of_group(name: str, groups: Sequence[Priced]) -> tuple[str | None, str] | None:
    """The model on which a group runs with MAIN_SHARE of its tokens; None where there is none. Raises UnknownName."""
    sizes: dict[tuple[str | None, str], int] = defaultdict(int)
    for each in groups:
        if each.spend.group == name and each.spend.model is not None:
            sizes[each.spend.provider, each.spend.model] += sum(each.spend.tokens[kind] for kind in TOKENS)
    if not sizes:
        raise UnknownName("--task", name, sorted({each.spend.group or "" for each in groups}), "group")
    main = max(sizes, key=lambda key: sizes[key])
    return main if sizes[main] >= MAIN_SHARE * sum(sizes.values()) else None


def model_sizes(priced: Sequence[Priced]) -> dict[tuple[str | None, str], float]:
    """What was spent by provider and model; tokens where nothing has a price."""
    known = any(each.usd for each in priced)
    sizes: dict[tuple[str | None, str], float] = defaultdict(float)
    for each in priced:
        if each.spend.model is not None:
            size = (each.usd or 0.0) if known else float(sum(each.spend.tokens[name] for name in TOKENS))
            sizes[each.spend.provider, each.spend.model] += size
    return dict(sizes)


def _named(name: str, known: list[tuple[str | None, str]]) -> tuple[str | None, str]:
    """The (provider, model) that `provider/model` or `model` names."""
    spelled = {f"{provider}/{model}" if provider else model: (provider, model) for provider, model in known}
    if name in spelled:
        return spelled[name]
    fitting = [key for key in known if key[1] == name]
    if len(fitting) == 1:
        return fitting[0]
    raise UnknownName("--incumbent", name, spelled, "model of these files:" if not fitting else "model, several have it:")


def _notes(staged: Staged, copies: list[tuple[str, str]], priced: Sequence[Priced], question: Question) -> Iterator[str]:
    """What a reader must know about the figures, one remark each."""
    for name, why in (*copies, *staged.other):
        yield f"{name} is left out: {why}"
    for name in staged.empty:
        yield f"{name} is empty"
    for part in staged.parts:
        yield from part.trouble.notes
        for name in part.trouble.cut_short:
            yield f"{name} ends inside its gzip stream: what could be read is counted, the rest is missing"
    for note in dict.fromkeys(each.note for each in priced if each.note):
        models = {each.spend.model or "" for each in priced if each.note == note}
        yield f"{', '.join(sorted(models))}: {note}"
    twice = sum(each.spend.tokens["perhaps_cached"] for each in priced)
    if twice:
        yield (f"{twice:,} cached tokens may or may not be part of the input column; taken as part of it, the upper bound"
               " counts them on top: --input-includes-cache yes or no settles it")
    if question.zone != "UTC":
        yield f"times without an offset are read as {question.zone}"
