"""What a reader must know about the figures of a log, one sentence each."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from roi.catalog.prices.api_prices import provider_id, provider_names
from roi.clock import today
from roi.usage.formats.relative_traces import NO_DATES
from roi.usage.log import Log
from roi.usage.measure.aggregate import Spend
from roi.usage.measure.days import Days, spans_told
from roi.usage.measure.payees import models_called
from roi.usage.measure.pricing import Priced, day_of, searched_usd
from roi.usage.measure.reconcile import beside_of
from roi.usage.read.columns import WEEKDAYS
from roi.usage.read.record import TOKENS, Format

AN_ID: Final = re.compile(r"(?=.*[0-9])[a-z0-9]{8,16}")
"""A name that AWS made up: lower case and digits, and no dot behind a maker's name."""
FEW: Final = 3
"""Files of one reason that are named each."""
WHOLE_FROM: Final = 1000
"""USD from which on notes tell whole dollars."""
NEAR: Final = 0.01
"""Share of a sum of costs within which another is taken for the same."""
READINGS: Final = {
    None: ": roi usage --input-includes-cache yes or no settles it",
    True: ", which is what was paid: roi usage --input-includes-cache no", False: "; what was paid is without that",
}
"""What settles whether cached tokens are beside the input, by `paid_on_top`."""


def rows_told(count: int) -> str:
    """So many rows, in words."""
    return f"{count:,} row{'s' * (count != 1)}"


def to_come(days: Days) -> Iterator[str]:
    """Says that days are counted which have not come: a clock, or the order of day and month, is wrong."""
    if (last := day_of(days.last)) > today() + timedelta(days=1):
        yield (f"the last day, {last}, has not come: check the dates; --dates us reads month/day/year, eu day/month/year, else"
               " they are year-month-day")


def between_files(days: Days | None, log: Log) -> Iterator[str]:
    """Says that days between files are of none, so that they count in no mean, and a model has the days of its files."""
    if days is not None and days.unseen:
        titles = {table.format.name: table.format.title for table in log.tables}
        times = [f"{' and '.join(sorted(titles[name] for name in each.sources))}, {day_of(each.first)} to {day_of(each.last)}"
                 for each in days.parts]
        of_one = sum(len(each.sources) for each in days.parts) > len(set().union(*(each.sources for each in days.parts)))
        idle = (". Files of a week and more are taken for exports of their own time: if nothing was called between them, one"
                " export over all of it makes those days count as days of zero load") if of_one else ""
        yield (f"{len(days.unseen)} days ({spans_told(days.unseen)}) are of no file, and count in no mean: nobody knows what"
               f" was called on them{idle}. A model has the days of the files that it is in: {'; '.join(times)}")


def silent(days: Days | None) -> Iterator[str]:
    """Says that days without a row count as days of zero, on weekdays which have rows otherwise: the export may lack them."""
    if days is not None and days.silent:
        one = len(days.silent) == 1
        weekday = f", a {day_of(days.silent[0]):%A}," if one else f" ({spans_told(days.silent)}),"
        which = f"{day_of(days.silent[0])}" if one else f"{len(days.silent)} days"
        yield (f"no call on {which}{weekday} although {'that weekday has' if one else 'those weekdays have'} calls otherwise:"
               f" {'it counts' if one else 'they count'} as a day of zero load{'' if one else ' each'}; where the export lacks"
               f" {'it' if one else 'them'}, --without {day_of(days.silent[0])} leaves"
               f" {'it' if one else 'the first of them'} out")


def part_of_a_week(days: Days | None) -> str:
    """Says that the whole days are of some weekdays alone, so that nobody knows what others have; empty where all are there."""
    there = frozenset[int]() if days is None or days.spanned else frozenset(day_of(day).weekday() for day in days.complete)
    if days is None or len(there) in {0, 7}:
        return ""
    names = [name for k, name in enumerate(WEEKDAYS) if k in there]
    few = len(days.complete)
    return (f"Requests a day are those of {few} whole day{'s' * (few != 1)}, {'each ' * (few != 1)}a {', '.join(names[:-1])}"
            f"{' or ' if names[1:] else ''}{names[-1]}; other weekdays may have others: a log of a week tells")


def no_weekend(days: Days | None, a_day: float | None) -> Iterator[str]:
    """Says that no weekend is there, so that nobody knows whether they are quiet; `a_day`: requests of a mean day, if counted.

    With a day of one, which weekdays are there, if not all. Where a weekend is there, and empty, it counts as days of zero: a
    mean day is then a seventh of a working week. Of a log of one day it goes without saying that it tells no week.
    """
    if days is None or days.spanned or len(days.complete) < 2:
        return
    if {day_of(day).weekday() for day in days.complete} & {5, 6}:
        yield from filter(None, (part_of_a_week(days),))
        return
    both = "" if a_day is None else f" ({a_day:,.4g} requests)"
    fewer = "5 / 7 of that" if a_day is None else f"{a_day * 5 / 7:,.4g}"
    yield (f"no Saturday or Sunday is whole here: a mean day is one of Monday to Friday{both}, and a month is taken to have"
           f" 30.4 of them; if nobody calls on weekends, a mean day has {fewer}, and a month costs 5 / 7 of what stands here."
           " A log over a weekend tells")


def nobodys(by: str | None, groups: Sized, days: Days | None) -> Iterator[str]:
    """Says that no row has the group that is asked for: a tag that nobody writes, or by another name."""
    if by not in {None, "model"} and days is not None and not groups:
        yield f"--group-by {by}: no row that counts has one"


def billed_too(days: Days | None, bill: float | None, beside_usd: float) -> Iterator[str]:
    """Says that a bill is below what is billed `beside` tokens a month, or may be of other days than it is held against."""
    if bill is None:
        return
    if beside_usd != beside_of(bill, beside_usd):
        yield (f"--bill: ${bill:,.0f} is less than the ${beside_usd:,.0f} a month that is billed without tokens, so that it is"
               " taken as of tokens alone: give all that is billed in a month if it is not")
    if days is not None and days.without:
        yield (f"--bill is held against the other days: where it is of the month of {spans_told(days.without)}, take off what"
               " was billed on them")
    if days is not None and days.unseen:
        yield "--bill is held against a mean day of all files, whose times lie apart: give those of its month alone"


def lacking(share: float) -> Iterator[str]:
    """Says that days are counted as whole which lack rows, since all of them do."""
    if share:
        yield (f"a usual day lacks {share:.0%} of its usage, in rows left out; days count as whole all the same, since all lack"
               " them, so that requests a day, tokens and the bill are too low by about as much")


def notes(log: Log, priced: Sequence[Priced], zone: str) -> Iterator[str]:
    """What a reader must know about the figures, one remark each."""
    for name, whole in (each for table in log.tables for each in table.unread.cut_short.items()):
        yield (f"{name} ends inside its gzip stream: its first {whole:,} line{'s' * (whole != 1)} could be read and count, the"
               " rest is missing")
    yield from _files_left_out(log.left_out)
    for name in log.unmapped:
        yield f"{name} lacks columns that --map names: its own names tell which are which"
    for name in log.empty:
        yield f"{name} is empty"
    yield from dict.fromkeys(remark for table in log.tables for remark in table.format.remarks)
    for table in log.tables:
        yield from table.unread.notes
    for form in dict.fromkeys(table.format for table in log.tables):
        of_form = [each for each in priced if each.spend.source == form.name]
        yield from _cache_notes(form, of_form)
        yield from _absent_counts(form, of_form)
    yield from _own_prices(priced)
    yield from _storage_note(priced)
    yield from _search_notes(priced)
    yield from map(str, unlisted(priced))
    other = sum(each.spend.tokens["other_money"] for each in priced)
    if other:
        yield (f"{rows_told(other)} with a cost that is not in USD: the tokens count, at list price in place of that cost;"
               " --exchange-rate EUR=1.08@2026-10-31, with its currency and rate, counts it")
    twice = sum(each.spend.tokens["perhaps_cached"] for each in priced)
    if twice:
        yield (f"{twice:,} cached tokens may or may not be part of the input column; taken as part of it, the upper bound"
               f" counts them on top{READINGS[paid_on_top(priced)]}")
    if any(table.format.relative for table in log.tables):
        yield NO_DATES
    if zone != "UTC":
        yield f"times without an offset are read as {zone}"


def paid_on_top(rows: Sequence[Priced]) -> bool | None:
    """Whether the costs reported are the list price with cached tokens beside the input, not in it; None: no telling."""
    if not rows or not all(each.spend.costed for each in rows):
        return None
    paid, within, beside = (sum(found or 0.0 for found in each) for each in zip(
        *((each.spend.cost_usd, each.list_usd, each.list_high_usd) for each in rows), strict=True))
    near = [abs(paid - listed) <= NEAR * listed for listed in (within, beside)]
    return None if near[0] == near[1] else near[1]


def _files_left_out(left_out: Sequence[tuple[str, str]]) -> Iterator[str]:
    """A remark on each file that is left out; one on all of a reason with more than FEW, as bodies beside a log of Bedrock."""
    alike: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, why in left_out:
        alike["copies of others" if why.startswith("a copy of ") else why].append((name, why))
    for told, each in alike.items():
        if len(each) > FEW:
            yield f"{len(each):,} files such as {each[0][0]} are left out: {told}"
        else:
            yield from (f"{name} is left out: {why}" for name, why in each)


def _cache_notes(form: Format, rows: Sequence[Priced]) -> Iterator[str]:
    """What a format may leave out of what was read from a cache or written to it, where it would change the list price."""
    told = {name: sum(each.spend.tokens[name] for each in rows) for name in ("cache_read", "cache_write", "cache_write_1h",
                                                                                     "life_open")}
    listed = [(each.spend, each.rates) for each in rows if each.rates is not None and not each.spend.costed]
    if form.may_lack_cached and not told["cache_read"] and any(r.cache_read[0] < r.uncached_input[0] for _, r in listed):
        yield (f"no row of {form.title} tells of cached tokens: where some were read from a cache, they count as uncached"
               " input, which is dearer")
    dearer = any(r.cache_write[0] > r.uncached_input[0] for _, r in listed)
    if form.may_lack_written and told["cache_read"] and not told["cache_write"] and dearer:
        yield (f"no row of {form.title} tells of tokens that were written to a cache, which are dearer than uncached input: the"
               " list price leaves that out, and so does a scenario from these rows that has no bill (incumbent.writes_cache:"
               " false)")
    for provider, whose in form.may_double.items():
        open_ones = [each.spend for each in rows if each.spend.provider == provider and each.spend.tokens["perhaps_cached"]]
        doubled = sum(spend.tokens["cache_read"] for spend in open_ones)
        if doubled and all(spend.tokens["uncached_input"] >= spend.tokens["cache_read"] for spend in open_ones):
            yield (f"{doubled:,} cached tokens may be twice in the input, and so many uncached ones too many, if {whose} wrote"
                   " these spans: no version is named in them")
    more = sum(spend.tokens["life_open"] * (r.cache_write_1h[0] - r.cache_write[0]) / 1e6 for spend, r in listed)
    if form.may_lack_hour and not told["cache_write_1h"] and more > 0:
        yield (f"{form.title} does not tell how long a cache keeps {told['life_open']:,} tokens that were written:"
               f" they count as kept the shorter time; kept an hour, they cost {_usd(more)} more")


def _absent_counts(form: Format, rows: Sequence[Priced]) -> Iterator[str]:
    """Counts that no row tells, of a format whose counts have rows of their own: they are 0 since nobody asked for them."""
    sums = {name: sum((each.spend.requests or 0) if name == "requests" else each.spend.tokens[name] for each in rows)
            for name in form.apart}
    absent = [name for name, total in sums.items() if not total]
    if absent and any(sums.values()):
        yield (f"no total of {' and of '.join(form.apart[name] for name in absent)} is in these files: counted as 0, which the"
               " money, the lengths and the scenario's part take over. Give a file of it over the same time beside them")


def _own_prices(priced: Sequence[Priced]) -> Iterator[str]:
    """Which models are priced by the terms of the scenario, and what they are at the public list."""
    names, own = models_called((each.spend.provider, each.spend.model) for each in priced), defaultdict[str, list[Priced]](list)
    for each in priced:
        if each.public is not None:
            own[names[each.spend.provider, each.spend.model]].append(each)
    told = []
    for name, rows in sorted(own.items()):
        public = [each.public.list_usd for each in rows if each.public is not None and each.public.list_usd is not None]
        listed = f"{_usd(sum(public))} at the public list" if len(public) == len(rows) else "no public price is known"
        told.append(f"{name} {_usd(sum(each.list_usd or 0.0 for each in rows))} ({listed})")
    if told:
        yield f"the list price is by the terms of --scenario, on every day: {', '.join(told)}"


def _storage_note(priced: Sequence[Priced]) -> Iterator[str]:
    """Says that hours of a cache that Google stores are paid too, where something was read from one and no cost is told."""
    if any(each.spend.provider == "google" and each.spend.tokens["cache_read"] and not each.spend.costed for each in priced):
        yield ("google bills the hours for which it stores a cache of one's own, which no count of tokens tells: where cached"
               " tokens were not found by themselves, that comes on top")


def _search_notes(priced: Sequence[Priced]) -> Iterator[str]:
    """What web searches that the provider ran cost beside the tokens, where a row tells of any."""
    searched = [each for each in priced if each.spend.tokens["web_searches"]]
    bare = [each for each in searched if each.rates is None or not each.rates.usd_per_1000_searches]
    every, open_ones = (sum(each.spend.tokens["web_searches"] for each in rows) for rows in (searched, bare))
    if searched:
        money = searched_usd(searched)
        price = f"{_usd(money)} at list price, which no sum of tokens holds and a bill does" if every > open_ones else ""
        unpriced = f"{f'; for {open_ones:,} ' if price else ''}no price is known" if open_ones else ""
        yield f"{every:,} web searches, billed a piece: {price}{unpriced}"


@dataclass(frozen=True, kw_only=True)
class Unlisted:
    """What the price list does not say of some sums, and `str` of it the remark."""

    why: str
    sums: tuple[Spend, ...]
    models: tuple[str, ...]
    """Models of these sums, as a report calls them."""
    usd: float
    """USD of these sums at list price, as far as that says."""
    of_usd: float
    """USD of all sums of the log at list price, as far as that says."""

    @property
    def rows(self) -> str:
        """How many rows, with how many tokens."""
        tokens = sum(each.tokens[name] for each in self.sums for name in TOKENS)
        return f"{rows_told(sum(each.rows for each in self.sums))} with {tokens:,} tokens"

    @property
    def provider(self) -> str | None:
        """The provider of all of them, as the log names it, where the list has none such."""
        found = {each.provider for each in self.sums}
        name = found.pop() if len(found) == 1 else None
        return None if name is None or provider_id(name) in provider_names() else name

    def __str__(self) -> str:
        of = f", {_usd(self.usd)} of {_usd(self.of_usd)} at list price" if self.usd else ""
        ids = [each.model for each in self.sums if each.provider == "aws" and AN_ID.fullmatch(each.model or "")]
        hint = "" if not ids else (
            "; it is the id of an application inference profile or of provisioned throughput, which names no model: roi prices"
            f" add api aws/{ids[0]} --input USD --output USD --source WHERE gives it a price")
        return f"{', '.join(self.models)}, {self.rows}{of}: {self.why}{hint}"


def unlisted(priced: Sequence[Priced]) -> Iterator[Unlisted]:
    """What the price list does not say, with the models, rows and tokens of which it does not, and the money at that price."""
    noted: dict[str, list[Priced]] = defaultdict(list)
    names = models_called((each.spend.provider, each.spend.model) for each in priced)
    for each in priced:
        if each.note:
            noted[each.note].append(each)
    total = sum(each.list_usd or 0.0 for each in priced)
    for note, group in noted.items():
        sums = tuple(each.spend for each in group)
        models = tuple(sorted({names[each.provider, each.model] for each in sums}))
        yield Unlisted(why=note, sums=sums, models=models, usd=sum(each.list_usd or 0.0 for each in group), of_usd=total)


def _usd(amount: float) -> str:
    return f"${amount:,.{2 if amount < WHOLE_FROM else 0}f}"
