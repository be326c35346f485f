"""How `roi usage` is told on a terminal: spend, its chart by day, tasks, reconciliation, workload."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from roi.answers.usage_tasks import Task
from roi.errors import first_of
from roi.report.layout.blocks import Block, Bullets, Gap, Heading, Paragraph, Row, Table, Title, Verbatim
from roi.report.layout.figures import bar_rows
from roi.report.layout.wording import adds_too_seldom, chance, figure, from_to, number_of, percent, too_seldom, usd
from roi.report.usage.paid import names, reconciliation, without_tokens
from roi.report.usage.spend_json import by_group, grouped, list_prices, money, tokens_of
from roi.units import MTOK, formatted
from roi.usage.measure.aggregate import MOST_GROUPS as LISTED
from roi.usage.measure.aggregate import Spend
from roi.usage.measure.days import LOST_ROWS, Days, days_of, spans_told
from roi.usage.measure.growth import growth_told
from roi.usage.measure.months import MonthChange
from roi.usage.measure.pricing import Priced, day_of, searched_usd, spent, total_requests, total_tokens
from roi.usage.measure.shape import Shape, times
from roi.usage.measure.workload import MeasuredWorkload
from roi.usage.read.columns import WEEKDAYS
from roi.usage.read.names_alone import OWN_TABLE, source_shown
from roi.usage.summary import Usage

MOST_MODELS, MOST_GROUPS = 12, 10
WIDTH, HEIGHT = 64, 5
LEAST_DAYS = 3
"""A chart of fewer days tells nothing."""


def usage_blocks(found: Usage, tasks: Sequence[Task]) -> Iterable[Block]:
    """The parts of the report."""
    yield Title("What was spent")
    yield Paragraph(_scope(found))
    if found.priced:
        yield Heading("By model")
        yield _table("model", grouped(found.priced, "provider", "model"), MOST_MODELS)
        bare = [each for each in found.priced if each.usd is None]
        tier = " and tier" if any(each.spend.tier for each in found.priced) else ""
        listed = first_of([f"{source} ({stated}, {number_of(models, 'model')})"
                           for source, stated, models in list_prices(found.priced)], 3)
        yield Paragraph("Mtok: million tokens; input includes what was read from and written to a prompt cache, cached is the"
                        f" share read. list: at the list price of each day{tier}"
                        + (", or by the terms of --scenario" if any(each.public for each in found.priced) else "")
                        + ". reported: what the source says that it cost."
                        + (f" -: no price is known; {figure(tokens_of(bare) / MTOK)} Mtok have none, see Notes." if bare
                           else "")
                        + (f" List prices: {listed}." if listed else ""))
    if found.costs:
        yield Paragraph(f"Cost exports report {usd(sum(row.cost_usd for row in found.costs))} in all.")
    yield from _groups(found)
    if chart := _chart(found):
        yield from (Gap(), Verbatim(tuple(chart)))
    yield from _change(found.change)
    yield from task_blocks(found, tasks)
    yield from without_tokens(found)
    yield from reconciliation(found)
    if found.workload is not None:
        choice = found.workload.choice
        yield from _workload(found.workload, names(found)[choice.provider, choice.model])
    elif found.no_workload:
        yield from (Heading("Workload"), Paragraph(f"Not told: {found.no_workload}."))
    if found.dropped:
        yield Heading("Rows left out")
        yield Bullets(tuple(f"{d.rows:,}: {d.reason} ({source_shown(d.source)}{f', {usd(d.usd)}' * bool(d.usd)}"
                            f"{f'; first: {d.where}' if d.where else ''})" for d in found.dropped))
    if found.notes:
        yield from (Heading("Notes"), Bullets(found.notes))


def _groups(found: Usage) -> Iterable[Block]:
    """The groups where there are two, those of time all and in order; what is in none of them stands last."""
    groups = by_group(found)
    if len(groups) < (1 if found.by_time else 2):
        return
    named, others = (groups[:-1], groups[-1:]) if found.others else (groups, [])
    by = found.by_time or "group"
    yield Heading(f"By {by}{' of the day' * (by == 'hour')}{', UTC' * bool(found.by_time)}")
    yield _table(by, named, None if found.by_time else MOST_GROUPS, others)
    if others and len(named) >= LISTED:
        yield Paragraph(f"(no group): calls without one, and those of groups beyond the {LISTED} with the most tokens.")


def _scope(found: Usage) -> str:
    """The days, the requests and the money that the records cover, and the files that were read."""
    parts = []
    if found.days is not None:
        whole, span = len(found.days.complete), found.days.last - found.days.first + 1
        until = f" to {day_of(found.days.last)}" if span > 1 else ""
        beyond = f", {len(found.days.unseen):,} in no file" if found.days.unseen else ""
        parts.append(f"{day_of(found.days.first)}{until}, UTC; {whole:,} of {number_of(span, 'day')} whole{beyond}")
        low = [day for day, why in found.days.left_out if why == LOST_ROWS]
        parts += [f"{day_of(day)} {why}" for day, why in found.days.left_out if why != LOST_ROWS]
        if low:
            parts.append(f"{day_of(low[0])} {LOST_ROWS}" if len(low) == 1 else f"{len(low)} days have rows left out")
        if silent := found.days.silent:
            parts.append(f"no call on {spans_told(silent)}, see Notes")
        parts += _left_out(found)
    if found.priced:
        requests = total_requests([each.spend for each in found.priced])
        parts.append(number_of(requests, "request") if requests is not None else "requests not counted by this export")
        parts.append(f"{_count(tokens_of(found.priced) / MTOK)} Mtok")
        parts.append(_total(found))
    sources = [f"{title} ({name}, {number_of(count, 'row')})" for name, title, count in found.sources]
    lost = sum(each.rows for each in found.dropped)
    left = f"; {lost:,} of {number_of(lost + sum(count for _, _, count in found.sources), 'row')} left out" if lost else ""
    lost_usd = sum(each.usd for each in found.dropped if each.source == OWN_TABLE)
    left += f" with {usd(lost_usd)}" if lost_usd else ""
    left += f", most for {found.dropped[0].reason!r}, see below" if lost else ""
    return (f"{'; '.join(parts)}. " if parts else "") + f"Read: {first_of(sources, 4)}{left}."


def _left_out(found: Usage) -> list[str]:
    """Which days the user leaves out, and what was on them; empty for none."""
    if found.days is None or not found.days.without:
        return []
    days, requests = found.days.without, total_requests([each.spend for each in found.left_out])
    calls = "no call" if not found.left_out else (
        number_of(requests, "request") if requests is not None else f"{figure(tokens_of(found.left_out) / MTOK)} Mtok")
    paid = [each.usd for each in found.left_out if each.usd is not None]
    many = "is" if len(days) == 1 else "are"
    money_of_them = f" and {usd(sum(paid))}" if paid else ""
    return [f"{spans_told(days)} {many} left out of all else (--without), with {calls}{money_of_them}"]


def _total(found: Usage) -> str:
    """What was spent in all, and whether sources report it or the price list says so.

    Web searches are told by their list price where no cost export of the provider bills something else than tokens.
    """
    known = [each for each in found.priced if each.usd is not None]
    billed = f", and {usd(sum(item.usd for item in found.items))} without tokens" if found.items else ""
    if not known:
        return f"no price known{billed}"
    every, bare = tokens_of(found.priced), tokens_of(each for each in found.priced if each.usd is None)
    without = f", and {figure(bare / MTOK)} of {figure(every / MTOK)} Mtok have no price" if bare else ""
    low, high = spent(known), sum((each.usd if each.spend.costed else each.list_high_usd) or 0.0 for each in known)
    exported = {item.provider for item in found.items}
    searched = searched_usd(each for each in known if not each.spend.costed and each.spend.provider not in exported)
    beside = (f", and {usd(searched)} of web searches" if searched else "") + billed
    return f"{from_to(usd(low), usd(high)) if high > low * 1.0005 else usd(low)} {basis_of(found)}{beside}{without}"


def basis_of(found: Usage) -> str:
    """What the money is that has a price: as sources report it, or at list price."""
    costed = {each.spend.costed for each in found.priced if each.usd is not None}
    if found.equivalent:
        return "as list-price equivalent, not a bill"
    return "as reported" if costed == {True} else "at list price" if True not in costed else "as reported, else at list price"


Groups = Sequence[tuple[tuple[object, ...], list[Priced]]]
"""Values of the fields by which sums are grouped, and the sums of each."""


def _table(name: str, groups: Groups, most: int | None, others: Groups = ()) -> Table:
    """The groups, those beyond the first `most` together, then `others`."""
    every = [*groups, *others]
    total = sum(spent(group) for _, group in every)
    kept = len(groups) if most is None else most
    rows = [_row(_label(key), group, total) for key, group in groups[:kept]]
    if len(groups) > kept:
        rest = [each for _, group in groups[kept:] for each in group]
        rows.append(_row(f"{len(groups) - kept} more", rest, total))
    rows += [_row(_label(key), group, total) for key, group in others]
    if len(every) > 1:
        rows.append(_row("total", [each for _, group in every for each in group], total, strong=True))
    heads = (name, "requests", "input\nMtok", "cached", "output\nMtok", "list\nUSD", "reported\nUSD", "share")
    return Table(heads, tuple(rows))


def _label(key: tuple[object, ...]) -> str:
    return "/".join(str(part) for part in key if part is not None) or "(no group)"


def _row(label: str, group: Sequence[Priced], total: float, *, strong: bool = False) -> Row:
    rows: list[Spend] = [each.spend for each in group]
    tokens, requests = total_tokens(rows), total_requests(rows)
    given = tokens["uncached_input"] + tokens["cache_read"] + tokens["cache_write"]
    paid, usd_of = money(group), spent(group)
    return Row((
        label, "-" if requests is None else f"{requests:,}", _count(given / MTOK),
        percent(tokens["cache_read"] / given) if given else "-", _count(tokens["output"] / MTOK),
        *("-" if (x := paid[name]) is None else _cents(x) for name in ("list_usd", "reported_usd")),
        percent(usd_of / total) if total else "-",
    ), strong=strong)


def _count(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else figure(number)


def _cents(amount: float) -> str:
    return formatted(amount, ",.2f" if amount < 1000 else ",.0f")


def _chart(found: Usage) -> list[str]:
    """The spend by day as rows of at most 80 columns; empty where there are too few days.

    The axis begins at 0. Tokens are shown where nothing has a price, weeks where there are more days than columns.
    """
    if found.days is None or found.days.last - found.days.first + 1 < LEAST_DAYS:
        return []
    priced = any(each.usd for each in found.priced)
    volume: dict[int, float] = defaultdict(float)
    for each in found.priced:
        days = days_of(each.spend) or [found.days.first]
        for day in days:
            volume[day] += ((each.usd or 0.0) if priced else tokens_of([each]) / MTOK) / len(days)
    span = found.days.last - found.days.first + 1
    count = min(span, WIDTH)
    gone = found.days.not_counted
    edges = [found.days.first + round(k * span / count) for k in range(count + 1)]
    kept = [[day for day in range(a, b) if day not in gone] for a, b in pairwise(edges)]
    heights = [sum(volume[day] for day in days) / (len(days) or 1) for days in kept]
    top = max(heights) or 1.0
    unit = "USD a day" if priced else "Mtok a day"
    rows = [f"{unit}, {day_of(found.days.first)} to {day_of(found.days.last)}"
            + (f", {span / count:.1f} days a column" if span > count else "")
            + (f", without {spans_told(found.days.without)}" if found.days.without else "")
            + (f", {len(found.days.unseen):,} days in no file" if found.days.unseen else "")]
    wide = max(1, min(4, WIDTH // count))
    for level, bars in zip(range(HEIGHT, 0, -1), bar_rows([h / top for h in heights], HEIGHT, wide), strict=True):
        label = (usd(top * level / HEIGHT) if priced else figure(top * level / HEIGHT)) if level in {HEIGHT, 1} else ""
        rows.append(f"{label:>11} |{bars}")
    rows.append(" " * 11 + " +" + "-" * (count * wide))
    return rows


def _change(change: MonthChange | None) -> Iterable[Block]:
    if change is None:
        return
    whole = change.usd_per == "month"
    per = "the month" if whole else "a mean whole day, since a month is not covered whole"
    if len(change.weekdays) < len(WEEKDAYS):
        per = f"a mean {' or '.join(change.weekdays)}, since the months have no other weekday whole that is in both"
    calendar = ("calendar", change.calendar_usd, "more or fewer days, and weekdays, as they were")
    yield Heading(f"{change.month:%B %Y} against {change.before:%B}")
    parts = (("volume", change.volume_usd, "tokens in all"), ("mix", change.mix_usd, "of models, of input and output"),
             ("cache", change.cache_usd, "shares read and written"), ("price", change.price_usd, "of the same tokens"))
    yield Table(("USD of " + ("the month" if whole else "a day"), "USD", ""), (
        Row((f"{change.before:%Y-%m}", _cents(change.before_usd), "")),
        *(Row((f"  {name}", formatted(amount, "+,.2f"), what))
          for name, amount, what in (*([calendar] if whole else []), *parts)),
        Row((f"{change.month:%Y-%m}", _cents(change.month_usd), ""), strong=True)), align="lrl")
    yield Paragraph(f"Of {per}. They add up to the difference; each is at the prices of the month before but price itself.")


def task_blocks(found: Usage, tasks: Sequence[Task]) -> Iterable[Block]:
    """A heading, a table of the groups whose rows say what to do, and how to read it; nothing where no group was compared."""
    if not tasks:
        return
    groups = {(each.spend.group, each.spend.provider, each.spend.model) for each in found.of_whole_days}
    more = len(groups - {(task.group, task.provider, task.model) for task in tasks})
    left = f" {more} smaller group{'s are' if more > 1 else ' is'} not listed: --tasks." if more else ""
    yield Heading("Which of these calls is worth a change")
    heads = ("group", "requests\n/day", "USD\n/month", "saves\nof it", "NPV\nUSD", "beats\nstaying")
    grouped = {(task.provider, task.model) for task in tasks if task.group is not None}
    called = names(found)
    yield Table(heads, tuple(_task_row(task, called[task.provider, task.model], found.days,
                                       whole=(task.provider, task.model) in grouped) for task in tasks))
    yield Paragraph(
        "Each group compared by itself, and all calls of a model with several, whole days alone, under --scenario: do now"
        " is what roi compare says of it. USD: what is paid (reports, --bill), else list price. saves: share of what"
        " staying costs in cash in a mean month, forced migrations included. NPV: mean over the horizon, what the change"
        " costs included, and wrong answers where their price is no guess. beats staying: share of the draws in which that"
        " NPV is above zero. not tested: nobody evaluated its answers, so that it is not advised, whatever it saves. Peak"
        " and growth are those of the whole workload below. Without --scenario the candidates are the bundled one's, the"
        " SLO and all else are defaults; its scores, bar and cost of wrong answers, which are of another task, are not"
        f" taken: no other model is tested, and costs alone rank them.{left} A longer look: roi usage ... --task GROUP"
        " --output part.yaml, then roi compare my.yaml --usage part.yaml.")


def _task_row(task: Task, model: str, log: Days | None, *, whole: bool) -> Row:
    return Row((
        f"{task.group} on {model}" if task.group is not None else f"{'all of ' * whole}{model}",
        "-" if task.requests_per_day is None else _count(task.requests_per_day), _cents(task.usd_per_month),
        "-" if task.saves_share is None else percent(task.saves_share),
        "-" if task.npv_usd is None else f"{task.npv_usd:,.0f}", chance(task.probability),
    ), detail="; ".join(filter(None, (_own_days(task.days, log, task.requests_per_day_of_log), _told(task)))))


def _own_days(days: Days, log: Days | None, of_log: float | None) -> str:
    """Which days the requests are the mean of, where those are not all of the log, and what they are over all; else empty."""
    told = "" if log is None else days.used_told(log)
    over = "" if log is None or of_log is None else f"; {_count(of_log)} over all {len(log.complete)}"
    return told and told + over


def _told(task: Task) -> str:
    """What to do now, and what has a higher NPV and is not advised; or why nothing is said."""
    if task.best is None:
        return f"not compared: {task.reason}"
    first, do = f"measure first ({task.measure_first}), else" if task.measure_first else "do now:", task.best
    if task.saves_share == 0.0 and task.npv_usd == 0.0:
        do = "stay" if task.passed_over else "stay; no change pays"
    told = f"{first} {do}{f', then {task.then}' if task.then else ''}"
    if task.passed_over is None or task.passed_over_npv_usd is None:
        return told
    why = task.passed_over_why
    if task.passed_over_chance is not None and task.passed_over_chance_needed is not None and why != "not tested":
        words = adds_too_seldom if why == "not likely to add" else too_seldom
        why = words(task.passed_over_chance, task.passed_over_chance_needed)
    saves = "" if task.passed_over_saves_share is None else f" saves {percent(task.passed_over_saves_share)},"
    return f"{told}; {why}: {task.passed_over},{saves} NPV {task.passed_over_npv_usd:,.0f}"


def _workload(w: MeasuredWorkload, model: str) -> Iterable[Block]:
    task = f", group {w.choice.group}" if w.choice.group is not None else ""
    yield Heading(f"Workload of {model}{task}")
    rows = tuple(Row((field, value), detail) for field, value, detail in _fields(w))
    yield Table(("field", "value"), rows, align="ll") if rows else Paragraph("These records settle none of it.")
    yield Heading("What these records do not tell")
    yield Bullets(tuple(f"{field}: {why}" for field, why in w.missing))


def _fields(w: MeasuredWorkload) -> Iterable[tuple[str, str, str]]:
    if w.requests_per_day is not None:
        own, why = _own_days(w.days, w.log_days, w.requests_per_day_of_log), "" if w.mean_day is None else w.mean_day.why
        between = f" ({from_to(_count(w.mean_day.low), _count(w.mean_day.high))})" if w.mean_day is not None and why else ""
        yield "requests a day", _count(w.requests_per_day) + between, "; ".join(filter(None, (own, why)))
    if w.growth is not None:
        g = w.growth
        trend, least, most, used, low, high = map(growth_told, (g.value, g.low, g.high, *g.stated))
        yield ("growth a year", f"trend {trend} ({from_to(least, most)}, {g.weeks} weeks)",
               f"used: {used} a year over three years ({from_to(low, high)}), as if it went on for {g.weeks} more weeks")
    if w.lengths is not None:
        for name, mean, at in (("input tokens", w.lengths.input_mean, w.lengths.input_percentiles),
                               ("output tokens", w.lengths.output_mean, w.lengths.output_percentiles)):
            yield name, f"mean {mean:,.1f}; median {figure(at[0])}, p95 {figure(at[1])}, p99 {figure(at[2])}", (
                "" if name == "input tokens" else "percentiles are means of log-bins, within 4.5%")
        if w.beyond_context:
            yield "context", f"{w.lengths.longest:,} tokens", w.beyond_context
    elif w.input_tokens is not None and w.output_tokens is not None:
        yield "input tokens", f"mean {w.input_tokens:,.1f}", ""
        yield "output tokens", f"mean {w.output_tokens:,.1f}", ""
    if w.prefix is not None:
        between = f" ({from_to(figure(w.prefix.low), figure(w.prefix.high))})" if w.prefix.high > w.prefix.low else ""
        yield "shared prefix", f"{_count(w.prefix.tokens)} tokens{between}, found in {percent(w.prefix.hit_rate)}", w.prefix.how
    if w.batch_share is not None:
        yield "in batch", "; ".join((percent(w.batch_share), *(f"in {tier} {percent(part)}" for tier, part in w.tiers))), ""
    if w.shape is not None:
        yield from _load(w.shape)


def _load(shape: Shape) -> Iterable[tuple[str, str, str]]:
    """The peak, the day that makes it, and the hour of a mean day that is the busiest."""
    hour = "" if shape.hour_peak_to_mean is None else f", busiest hour {times(shape.hour_peak_to_mean)}"
    when = datetime.fromtimestamp(shape.busiest_minute * 60, UTC)
    few = "they are of no whole day" if shape.of_no_day else "so few are chance"
    used = f": used is neither, since {few}" if shape.peak_to_mean is None else (
        f"; used is {times(shape.peak_to_mean)}: chance alone makes a busiest minute of up to {times(shape.chance_to_mean)}")
    if shape.minute_peak_to_mean is not None:
        yield ("peak over mean", f"busiest minute {times(shape.minute_peak_to_mean)} ({when:%Y-%m-%d %H:%M} UTC){hour}",
               f"{shape.minutes:,} calendar minutes, {figure(shape.calls_per_minute)} requests in a mean one{used}")
    else:
        yield ("peak over mean", f"not told: {shape.exact.told}{hour}", "")
    if shape.one_day is not None:
        yield "peak of one day", shape.one_day.told, ""
        yield ("without that day", f"{figure(shape.one_day.others_per_day)} requests a day",
               f"--without {day_of(shape.one_day.day)} leaves it out of all that stands here, and of --output")
    if shape.hourly_weights is not None:
        top = max(range(24), key=shape.hourly_weights.__getitem__)
        yield "busiest hour", f"{top:02d}:00 to {(top + 1) % 24:02d}:00 UTC", ""
