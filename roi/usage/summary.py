"""The spine of the room: files to a log of records, to a handful of sums, to `Usage`: what was spent and on what."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from roi.errors import InputError
from roi.facts.exchange_rate import ExchangeRate, rate_on, told_rates, told_unused
from roi.usage.duplicates import refuse_double_counts
from roi.usage.exports import exports_of, log_days
from roi.usage.formats import FORMATS
from roi.usage.formats.agents.names import with_names
from roi.usage.formats.clouds.aws_cur import tagged
from roi.usage.left_out import Dropped, dropped_rows, refuse_another_form, refuse_dropped
from roi.usage.log import Log, paid_in, read_log, with_periods
from roi.usage.measure.aggregate import MOST_GROUPS, Spend, constants, spend_by_day, spend_by_group
from roi.usage.measure.days import Days, days_in_use, usual_loss
from roi.usage.measure.months import MonthChange, month_change
from roi.usage.measure.payees import in_names, maker_notes, makers, to_makers, to_names, with_maker
from roi.usage.measure.pricing import OwnPrices, Priced, day_of, price_changes, price_groups, price_spend
from roi.usage.measure.reconcile import LineItem, Reconciliation, beside_tokens, reconcile, without_tokens
from roi.usage.measure.without import Span, leave_out, parted, records_beyond
from roi.usage.measure.workload import MeasuredWorkload, choose_incumbent, measure_workload
from roi.usage.read.columns import made_anew
from roi.usage.read.database import local_engine, progress_told, refusals_told, remote_engine, remote_table
from roi.usage.read.detect import format_named, of_header
from roi.usage.read.files import SourceFile, agent_folders, find_files
from roi.usage.read.lazy_ibis import Backend, DuckDB, Table, ibis
from roi.usage.read.names_alone import OWN_TABLE
from roi.usage.read.raw import LogTable, readably, wanted
from roi.usage.read.record import NO_TOKENS, TIMES, FileOptions
from roi.usage.read.text_rows import UnreadRows
from roi.usage.told import between_files, billed_too, lacking, no_weekend, nobodys, notes, silent, to_come

SERVICE = ("batch", "tier")
"""Columns of a record that say how a call ran; the same in all rows of a format that does not say."""


@dataclass(frozen=True)
class Question:
    """What the user asks of the files."""

    files: tuple[str, ...]
    options: FileOptions
    named: str | None = None
    """Format of the files, where the user says it."""
    strict: bool = False
    """Refuse where a row is left out, in place of saying so."""
    zone: str = "UTC"
    """Time zone of times without an offset."""
    incumbent: str | None = None
    """provider/model or model whose workload is wanted."""
    task: str | None = None
    """Group whose workload is wanted."""
    bill_usd_per_month: float | None = None
    requests_per_day: float | None = None
    backend: str | None = None
    """Ibis URL; `files` is then the name of one table."""
    trace: Path | None = None
    """File that arrivals and lengths are written to; None: none."""
    agents: bool = False
    """Read the sessions of coding agents on this machine too."""
    names: bool = False
    """Their projects and sessions by name."""
    without: tuple[Span, ...] = ()
    """Days that are left out, such as those of a job that will not come again."""
    own: OwnPrices | None = None
    """Prices of a scenario's, which take the place of list prices."""
    paid_elsewhere: frozenset[str] = frozenset()
    """Currencies of what is paid and told in another file: a rate of theirs need not convert anything here."""


Model = tuple[str | None, str | None]
"""Provider and model."""


@dataclass(frozen=True)
class Usage:
    """What was spent."""

    sources: tuple[tuple[str, str, int], ...]
    """(file, format, rows that count)."""
    priced: tuple[Priced, ...]
    """Sums by day, model, batch and tier, each priced; rows that count alone."""
    costs: tuple[Spend, ...]
    """What cost exports report."""
    items: tuple[LineItem, ...]
    """What is billed without tokens: in none of the other sums, and in no bill of a scenario."""
    groups: tuple[Priced, ...]
    """Sums by group, each priced, where there are any: MOST_GROUPS at most, but all hours, days, weekdays or months."""
    others: tuple[Priced, ...]
    """Sums of rows without a group beside those that have one, and of groups beyond the listed ones."""
    days: Days | None
    dropped: tuple[Dropped, ...]
    change: MonthChange | None
    """The last month against the month before, where both have a whole day."""
    reconciliations: tuple[Reconciliation, ...]
    workload: MeasuredWorkload | None
    chosen: tuple[Priced, ...]
    """What of `priced` the workload is made of; what of its group alone where it is one group's."""
    no_workload: str
    """Why there is no workload; empty where there is one."""
    notes: tuple[str, ...]
    rates: tuple[ExchangeRate, ...] = ()
    """Stated rates at which amounts in other currencies are taken: those that convert something."""
    dated: bool = True
    """False where times count from the beginning of a trace: no day is one of a calendar."""
    by_time: str = ""
    """What the groups are where they are hours, days, weekdays or months, which nobody changes one by one."""
    left_out: tuple[Priced, ...] = ()
    """What was spent on days that the user leaves out (`Days.without`): none of it is in the other sums."""
    tells_tiers: bool = False
    """True where some file says of its rows whether they went through batch or in which service tier."""
    equivalent: bool = False
    """True where all of it may be under a subscription: the list price is an equivalent and no bill."""

    def days_of(self, provider: str | None, model: str | None) -> Days:
        """The days of a model's workload: of the log, but where it began or ended within it those between."""
        assert self.days is not None
        return self._own_days.get((provider, model), self.days)

    @cached_property
    def _own_days(self) -> dict[Model, Days]:
        """The days of each model's workload."""
        return {} if self.days is None else _own_days(self.days, self.priced)

    @cached_property
    def of_whole_days(self) -> tuple[Priced, ...]:
        """The sums, by group or else by day, that tell of a month: those of a model, with a price, on whole days of its own."""
        groups = () if self.by_time else self.groups
        rows = [each for each in groups or self.priced if each.usd and each.spend.model is not None and self.days is not None]
        models = {(each.spend.provider, each.spend.model) for each in rows}
        days = {model: set(self.days_of(*model).complete) for model in models}
        return tuple(each for each in rows if each.spend.day in days[each.spend.provider, each.spend.model])


def summarize(
    question: Question, tell: Callable[[str], None] | None = None, status: Callable[[str], None] | None = None,
    settled: Callable[[Usage], None] = lambda found: None,
) -> Usage:
    """What the files say; the temporary folder that holds the counts is gone afterwards.

    Raises InputError for files that cannot be read, formats that count the same calls twice, an unknown incumbent or task, and,
    where the question is strict, for any row that is left out. `tell` hears which folders are read, `status` how far it is,
    `settled` what was found, before a trace is written: what it refuses leaves none.
    """
    if question.backend is not None:
        with refusals_told(question.backend):
            log, backend = _table_of_database(question, question.backend)
            summary = _summary(question, log, backend)[0]
        settled(summary)
        return summary
    if question.trace is not None:
        from roi.usage.measure.call_trace import check_ending

        check_ending(question.trace)
    files = find_files(question.files) if question.files or not question.agents else []
    for found in agent_folders() if question.agents else ():
        files += found.files
        if tell is not None:
            tell(f"{found.agent}: {len(found.files):,} file{'s' * (len(found.files) > 1)} in {found.shown}")
    formats = tuple(map(with_names, FORMATS)) if question.names else FORMATS
    formats = tuple(tagged(form, question.options.group_by) for form in formats)
    with TemporaryDirectory(prefix="roi-usage-") as folder:
        engine = local_engine(Path(folder), question.zone)
        log = read_log(files, formats, question.options, engine, Path(folder), named=question.named,
                       strict=question.strict, stated=question.requests_per_day is not None, status=status)
        if status is not None:
            status("adding up")
        with progress_told(engine, "adding up", status):
            return readably(lambda: _summary_and_trace(question, log, engine, settled), engine, log.raws)


def _summary(question: Question, log: Log, backend: Backend) -> tuple[Usage, Table]:
    """What the log says, and its records with everyone who is paid."""
    records = log.records
    every = spend_by_day(records, backend)
    records, every = to_names(records, every), list(map(in_names, every))
    dated = not any(table.format.relative for table in log.tables)
    days, gone = log_days(every, log.grew, exports_of(log, every, question.options, backend)), list[Spend]()
    if question.without:
        days = leave_out(question.without, every, days, dated=dated)
        records, (every, gone) = records_beyond(records, days), parted(every, days)
    dropped = tuple(dropped_rows(every, log, question.options, backend))
    kept = [row for row in every if row.dropped is None and row.kind != "cost"]
    costs = tuple(row for row in every if row.dropped is None and row.kind == "cost")
    items = without_tokens((row for row in every if row.dropped == NO_TOKENS), days)
    refuse_another_form(dropped, sum(row.rows for row in every if row.source == OWN_TABLE))
    refuse_dropped(dropped, strict=question.strict, nothing=not kept and not costs)
    refuse_double_counts(kept, log.tables, backend)
    if all(row.dropped is None for row in every):
        # nothing is left out, so no row need be checked again
        records = made_anew(records, dropped=lambda _: ibis.null("string"))
    paid = {} if days is None else makers(kept, question.options.provider)
    kept, records = [with_maker(row, paid) for row in kept], to_makers(records, paid)
    priced = price_spend(kept, question.own)
    rates = question.options.rates
    used = {rate_on(rates, code, day_of(day)) for code, day, counts in log.paid if counts}
    converting = tuple(rate for rate in rates if rate in used)
    here = [rate for rate in rates if rate.currency not in question.paid_elsewhere]
    untold = {table.format.name for table in log.tables if len(constants(table.records.select(*SERVICE))) == len(SERVICE)}
    groups, others = _by_group(records, backend, days, priced, question.options.group_by)
    choice, no_workload = choose_incumbent(priced, groups, question.incumbent, question.task)
    workload, rows = None, []
    if choice is not None and days is not None:
        rows = [row for row in kept if (row.provider, row.model) == (choice.provider, choice.model)]
        if choice.group is not None:
            rows = [row for row in spend_by_day(choice.filter(records), backend) if row.kind != "cost"]
        workload = measure_workload(records, backend, rows, days, choice, question.requests_per_day, zone=question.zone)
    return Usage(
        sources=tuple(_sources(log, (*kept, *costs))),
        priced=priced,
        costs=costs,
        items=items,
        groups=groups,
        others=others,
        days=days,
        dropped=dropped,
        change=month_change(priced, days) if dated else None,
        reconciliations=tuple(reconcile(priced, costs, question.bill_usd_per_month, days, untold, items)),
        workload=workload,
        chosen=price_spend(rows, question.own),
        no_workload=no_workload,
        left_out=price_spend((with_maker(row, paid) for row in gone), question.own),
        notes=(*dict.fromkeys(notes(log, priced, question.zone)), *between_files(days, log), *(silent(days) if dated else ()),
               *lacking(usual_loss(every)),
               *(no_weekend(*_mean_day(workload, days)) if dated else ()), *(to_come(days) if dated and days else ()),
               *maker_notes(paid), *told_rates(converting), *nobodys(question.options.group_by, groups, days),
               *told_unused(here, converting, {code for code, _, _ in log.paid}),
               *billed_too(days, question.bill_usd_per_month, beside_tokens(priced, items, days) if items and days else 0.0)),
        rates=converting,
        dated=dated,
        by_time=next((kind for kind in TIMES if kind == question.options.group_by), ""),
        tells_tiers=any(len(constants(table.records.select("batch", "tier"))) < 2 for table in log.tables),
        equivalent=bool(kept) and all(table.format.equivalent for table in log.tables),
    ), records


def _mean_day(workload: MeasuredWorkload | None, days: Days | None) -> tuple[Days | None, float | None]:
    """The days of the workload, else of the log, and the requests that are counted on a mean one."""
    if workload is None:
        return days, None
    return workload.days, workload.requests_per_day if workload.requests is not None else None


def _by_group(
    records: Table, backend: Backend, days: Days | None, priced: Sequence[Priced], by: str | None,
) -> tuple[tuple[Priced, ...], tuple[Priced, ...]]:
    """Sums by group at their prices, and those of what is in none of them."""
    if days is None:
        return (), ()
    few = sum(each.spend.rows for each in priced) <= MOST_GROUPS  # and no more groups than rows, so that all are listed
    sums = spend_by_group(records, backend, _parts(days, priced), None if few or by in TIMES else MOST_GROUPS)
    groups, others = ([in_names(row) for row in sums if (row.group is None) is rest] for rest in (False, True))
    return price_groups(groups, priced), price_groups(others if groups else (), priced)


def _own_days(days: Days, priced: Sequence[Priced]) -> dict[Model, Days]:
    """The days of each model's workload."""
    rows = defaultdict[Model, list[Spend]](list)
    for each in priced:
        rows[each.spend.provider, each.spend.model].append(each.spend)
    return {model: days_in_use(days, spent) for model, spent in rows.items()}


def _parts(days: Days, priced: Sequence[Priced]) -> list[int]:
    """The first day, and those at which days covered whole, or a model's own, begin or end or a list price is another."""
    whole = set(days.complete)
    ends = (whole | {day + 1 for day in whole}) - (whole & {day + 1 for day in whole})
    for own in _own_days(days, priced).values():
        ends |= {own.first, own.last + 1} if own != days else set()
    return sorted(day for day in {days.first, *ends, *price_changes(priced)} if days.first <= day <= days.last)


def _summary_and_trace(question: Question, log: Log, engine: DuckDB, settled: Callable[[Usage], None]) -> Usage:
    found, records = _summary(question, log, engine)
    settled(found)
    if question.trace is not None:
        from roi.usage.measure.call_trace import write_trace

        chosen = found.workload.choice.filter(records) if found.workload else records.filter(records.dropped.isnull())
        write_trace(chosen, engine, question.trace)
    return found


def _table_of_database(question: Question, url: str) -> tuple[Log, Backend]:
    """One table of a database as the log: its columns tell the format, and the sums are made there."""
    if len(question.files) != 1:
        raise InputError("FILES: with --backend, give the name of one table")
    if question.trace is not None or question.zone != "UTC":
        raise InputError(f"{'--trace' if question.trace else '--timezone'}: not with --backend; export the calls first")
    name, options = question.files[0], question.options
    backend = remote_engine(url)
    raw = remote_table(backend, name)
    form = tagged(format_named(question.named, FORMATS, options) if question.named else
                  of_header(raw.columns, FORMATS, name, options), options.group_by)
    if form.table_by_document:
        raise InputError(f"{name}: rows of {form.title} hold documents that are opened in files alone, not with --backend;"
                         " export the table first")
    table = wanted(raw, form)
    records = with_periods(form, table, form.records(table, options), options, backend)
    log = Log([LogTable(form, (SourceFile(None, name),), records, UnreadRows())], paid=set(paid_in(records, options, backend)))
    return log, backend


def _sources(log: Log, kept: Sequence[Spend]) -> Iterator[tuple[str, str, int]]:
    """(file, or how many such as which; title, rows that count) of each format."""
    rows: dict[str, int] = defaultdict(int)
    for row in kept:
        rows[row.source] += row.rows
    for name, title in dict.fromkeys((table.format.name, table.format.title) for table in log.tables):
        files = [file for table in log.tables if table.format.name == name for file in table.files]
        yield files[0].shown if len(files) == 1 else f"{len(files)} files such as {files[0].shown}", title, rows[name]
