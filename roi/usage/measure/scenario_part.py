"""The part of a scenario that a log settles, as YAML to overlay on one: workload, incumbent and bill."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from roi.clock import today
from roi.errors import InputError, UnknownName, first_of
from roi.facts.case import OWN_SERVERS
from roi.facts.exchange_rate import told_rates
from roi.facts.price import ApiPrice
from roi.scenario.yaml import PART_SCHEMA, comment, dump_yaml
from roi.units import DAYS_PER_MONTH
from roi.usage.measure.days import Days
from roi.usage.measure.growth import MeanDay, growth_told
from roi.usage.measure.lengths import lengths_of
from roi.usage.measure.pricing import EPOCH, Priced, at_list_of, day_of, list_on, price_on, searched_usd
from roi.usage.measure.reconcile import beside_of, beside_tokens
from roi.usage.measure.shape import Shape
from roi.usage.measure.without import without_told
from roi.usage.measure.workload import MeasuredWorkload, unread_cache
from roi.usage.read.names_alone import NO_MODEL
from roi.usage.summary import Usage
from roi.usage.told import READINGS, no_weekend, paid_on_top, part_of_a_week, silent

DOUBT: Final = 0.01
"""Share of a bill beyond which it is said that a scenario's may be another one."""


def part_yaml(
    found: Usage, bill_usd_per_month: float | None = None, as_of: date | None = None,
    tell: Callable[[str], None] | None = None,
) -> str:
    """YAML with `workload`, `incumbent` and a day; comments on its source and what the log leaves open.

    A bill is at the list prices of `as_of`; None: today, or the log's last day where a clock is wrong. Without one the day is
    the log's last. `tell` hears what a scenario from it may be wrong about.

    Raises InputError where the log settles no workload, or its provider is not known.
    """
    w = found.workload
    if w is None:
        raise InputError(f"--output: {found.no_workload}")
    day = (as_of or max(today(), day_of(w.days.last))).toordinal() - EPOCH.toordinal()
    part = part_of(found, w, bill_usd_per_month, day)
    billed, unsure = "bill_usd_per_month" in part["incumbent"], doubt(found)
    if unsure:
        part["workload"]["unsure"] = unsure
    data = {"schema": PART_SCHEMA, "as_of": (day_of(day) if billed else day_of(w.days.last)).isoformat(), **part}
    if tell is not None and unsure:
        tell(unsure)
    told = [*_comments(found, w), *(_moved(found.chosen, day) if billed else ())]
    return "".join(map(comment, told)) + dump_yaml(data) + "".join(map(comment, _units(found, part["incumbent"])))


def _units(found: Usage, incumbent: Mapping[str, Any]) -> Iterator[str]:
    """Lines of `incumbent` to uncomment where units are billed: which calls they answer, and how many, no record says.

    They stand in the part of the model that the bill names, else in that of the most money, and in no group's of it, so that
    no fee is paid twice.
    """
    choice = None if found.workload is None else found.workload.choice
    if choice is None or choice.group is not None:
        return
    spent = defaultdict[tuple[str | None, str | None], float](float)
    for row in found.priced:
        spent[row.spend.provider, row.spend.model] += row.usd or 0.0
    usd = 0.0
    for item in (each for each in found.items if each.of_units):
        sellers = [each for each in spent if each[0] == item.provider] or list(spent)
        heads = item.name.split("/")[:-1]  # a refund's kind, and the model
        named = [each for each in sellers if any(_plain(head) in _plain(each[1] or "") for head in heads)]
        mine = max(named or sellers, key=lambda each: spent[each])
        if (choice.provider, choice.model) == mine:
            usd += item.usd_per_month or 0.0
    if not usd or (bill := incumbent.get("bill_usd_per_month")) is None:
        return
    yield "where the units that are billed answer these calls too, these two lines stand in place of the bill above:"
    yield (f"  provisioned_throughput: {{units: 1, usd_per_month: {usd:.2f}, requests_per_s: WHAT_THEY_HOLD, spills_over: true,"
           " committed_until: LAST_DAY_THEY_ARE_OWED}")
    yield f"  bill_usd_per_month: {bill + usd:.2f}"


def _plain(name: str) -> str:
    """The letters and digits of a name, as a bill and an API both write them."""
    return "".join(filter(str.isalnum, name.lower()))


def part_of(found: Usage, w: MeasuredWorkload, bill: float | None, day: int) -> dict[str, dict[str, Any]]:
    """`workload` and `incumbent` of a scenario, a bill at the list prices of the day (days since 1970).

    Raises InputError where the records name no model, or its provider is not known.
    """
    price = _price(found, w)
    share, more = w.batch_share or 0.0, 1.0
    if share and price is not None:
        share, more = in_batch(found.chosen, price)
    return {"workload": dict(_workload(w, share, more, writes=_writes(found.chosen))),
            "incumbent": dict(_incumbent(found, w, price, share, bill, day))}


def in_batch(rows: Sequence[Priced], price: ApiPrice) -> tuple[float, float]:
    """(Share of what the rows cost at once, uncached, that went through batch; times of what calls find in a cache).

    A scenario has one share of batch for all lengths and one hit rate for calls at once and in batch. As a share of requests
    it would take calls in batch for as long as the others. And calls in batch read from a cache where the list has no price for
    that, or less of it: what is read at once, of fewer calls, is more of each. So these tokens cost what they do at the list.
    """
    given, made = price.input_usd_per_mtok[0], price.output_usd_per_mtok[0]
    plain, cached = {True: 0.0, False: 0.0}, {True: (0, 0), False: (0, 0)}
    for each in (row.spend for row in rows):
        read, written = each.tokens["cache_read"], each.tokens["cache_write"]
        asked = each.tokens["uncached_input"] + read + written
        plain[each.batch] += asked * given + each.tokens["output"] * made
        cached[each.batch] = cached[each.batch][0] + read, cached[each.batch][1] + written
    every = plain[True] + plain[False]
    share = plain[True] / every if every else 0.0
    saves = {False: _saved(given, price.cache_read_usd_per_mtok, price.cache_write_usd_per_mtok),
             True: _saved((price.batch_input_usd_per_mtok or (0.0,))[0], price.batch_cache_read_usd_per_mtok,
                          price.batch_cache_write_usd_per_mtok)}
    saved = sum(saves[way](*cached[way]) for way in (False, True))
    in_all = cached[False][0] + cached[True][0], cached[False][1] + cached[True][1]
    counted = (1.0 - share) * saves[False](*in_all) + share * saves[True](*in_all)
    return share, saved / counted if saved * counted > 0.0 else 1.0


def _saved(given: float, read: Sequence[float] | None, write: Sequence[float] | None) -> Callable[[int, int], float]:
    """What tokens read from a cache and written to it cost less than plain input; nothing where reading has no price."""
    if read is None:
        return lambda _read, _written: 0.0
    return lambda reads, writes: reads * (given - read[0]) + writes * (0.0 if write is None else given - write[0])


def _moved(rows: Sequence[Priced], day: int) -> Iterator[str]:
    """Says that the bill is not what was paid, where list prices moved."""
    if any(each.list_usd is not None and each.list_usd != now for each, now in zip(rows, list_on(rows, day), strict=True)):
        yield (f"list prices moved: the bill is these tokens at the list of {day_of(day)}, times what was paid over the list of"
               " their days")


def _workload(w: MeasuredWorkload, share: float, found_more: float, *, writes: bool) -> Iterator[tuple[str, Any]]:
    """Fields of the block; `share` waits, and calls find `found_more` times what the log's mean call does in a cache.

    Where they are counted that write to it (`writes`), so do they, of a prefix that is so much longer.
    """
    days = f"{len(w.days.complete)} whole days, {day_of(w.days.first)} to {day_of(w.days.last)}{without_told(w.days)}"
    used = w.days.used_told(w.log_days)
    if w.requests_per_day is not None:
        a_day = w.mean_day or MeanDay(*(w.requests_per_day,) * 3, every_weekday=False)
        yield "requests_per_day", a_day.stated(days, always=bool(w.days.not_counted or used))
    if w.growth is not None:
        value, low, high = (round(x, 4) for x in w.growth.stated)
        yield "growth_per_year", {
            "value": value, "low": low, "high": high,
            "source": f"the trend of {w.growth.weeks} weeks ({growth_told(w.growth.value)} a year) going on for as long again",
        }  # fmt: skip
    if w.lengths is not None and len(w.lengths.bins) > 1:
        yield "lengths", shares_to_one(lengths_of(w.lengths.bins, w.prefix, found_more, writes=writes))
    elif w.prefix is not None and w.prefix.prompts and w.output_tokens is not None:
        yield "lengths", shares_to_one(w.prefix.bins(w.output_tokens))
    elif w.input_tokens is not None and w.output_tokens is not None:
        yield "input_tokens", round(w.input_tokens, 2)
        yield "output_tokens", round(w.output_tokens, 2)
    if w.prefix is not None:
        hit_rate = w.prefix.hit_rate if writes else min(w.prefix.hit_rate * found_more, 1.0)
        more = w.prefix.hit_rate * found_more / hit_rate if hit_rate else 1.0
        tokens, low, high = (round(x * more, 2) for x in (w.prefix.tokens, w.prefix.low, w.prefix.high))
        yield "shared_prefix_tokens", {"value": tokens, "low": low, "high": high, "source": f"usage: {w.prefix.how}"}
        yield "cache_hit_rate", round(hit_rate, 6)
    if share:
        yield "can_wait_share", round(share, 6)
    if w.shape is not None:
        yield from _load(w.shape, days)


def _load(shape: Shape, over: str) -> Iterator[tuple[str, Any]]:
    """The peak, where it is none of chance, and the hours of a mean day; `over` is what was looked at."""
    if shape.peak_to_mean is not None:
        one_day = "" if shape.one_day is None else (
            f"; {shape.one_day.told} (roi usage --without {day_of(shape.one_day.day)})")
        hour = 24.0 * max(shape.hourly_weights or (0.0,))
        yield "peak_to_mean", {"value": round(max(shape.peak_to_mean, hour, 1.0), 4),
                               "source": f"usage: {over}; less what chance alone makes of a busiest minute{one_day}"}
    if shape.hourly_weights is not None:
        yield "hourly_weights", [round(x * 24.0, 5) for x in shape.hourly_weights]


def shares_to_one(bins: list[dict[str, float]]) -> list[dict[str, float]]:
    """Shares with eight digits that add up to 1; the largest takes the rounding."""
    for each in bins:
        each["share"] = max(round(each["share"], 8), 1e-8)
    largest = max(bins, key=lambda each: each["share"])
    largest["share"] = round(largest["share"] + 1.0 - sum(each["share"] for each in bins), 8)
    return bins


def _price(found: Usage, w: MeasuredWorkload) -> ApiPrice | None:
    """The list of the model on its last day, None of one that is served; where there is none, InputError says how to add it."""
    if w.choice.model == NO_MODEL or (w.choice.provider or "").lower() == OWN_SERVERS:
        return None
    last = day_of(w.days.last)
    try:
        return price_on(found.chosen, w.choice.provider, w.choice.model, last, "incumbent.model")
    except InputError as error:
        if not isinstance(error, UnknownName) and "earliest price" not in str(error):
            raise
        seller, name = w.choice.provider or "PROVIDER", w.choice.model
        raise InputError(f"--output: no price of {name} on {last}, the last day of these files: {error}; roi prices add api"
                         f" {seller}/{name} --input USD --output USD --source WHERE --date {day_of(w.days.first)} gives it one"
                         f"{'' if w.choice.provider else f', and --provider {seller} here'}") from None


def _incumbent(
    found: Usage, w: MeasuredWorkload, price: ApiPrice | None, share: float, bill: float | None, day: int,
) -> Iterator[tuple[str, Any]]:
    if w.choice.model == NO_MODEL:
        raise InputError("--output: the records name no model: say which one it is, --provider and --model")
    if price is None:
        if bill is not None:
            raise InputError("--bill: no vendor bills a model that you serve: costs, option: stay, say what it costs")
        yield "provider", OWN_SERVERS
        yield "model", w.choice.model
        return
    yield "provider", price.provider
    yield "model", w.choice.model
    yield from _of_model(w)
    paid, split = paid_a_month(found, at_list_of(found.chosen, day), w.days, price.provider, bill)
    if not paid and price.cache_write_usd_per_mtok is not None and w.uses_cache:
        yield "writes_cache", _writes(found.chosen)
    yield from _of_tiers(found, share, day, listed=split == 1.0)
    if paid:
        yield "bill_usd_per_month", round(paid, 2) or paid
    if paid and split is not None:
        yield "bill_is_volume_share", split


def _of_model(w: MeasuredWorkload) -> Iterator[tuple[str, Any]]:
    """What calls show of the model's cache and context, whatever is documented."""
    yield "uses_cache", w.uses_cache
    if w.prefix is not None and w.prefix.minimum is not None:
        yield "cache_minimum_tokens", w.prefix.minimum
    if w.lengths is not None and w.beyond_context:
        yield "context_tokens", w.lengths.longest


def _of_tiers(found: Usage, share: float, day: int, *, listed: bool) -> Iterator[tuple[str, Any]]:
    """How calls ran, `share` of them in batch: all in the standard way is told where the records tell ways.

    So what an older log said goes. It goes too where the bill is tokens at list price (`listed`), which a tier would divide.
    """
    tiers, told = tiers_today(found.chosen, day), found.tells_tiers or listed
    if share or told:
        yield "batch_share", round(share, 6)
    if told or tiers["tier_price_ratio"] != 1.0 or len(tiers) > 1:
        yield from tiers.items()


def tiers_today(rows: Sequence[Priced], day: int) -> dict[str, Any]:
    """`tier_price_ratio` and `flexible_tier` of a scenario: what calls outside batch cost over the standard list of the day.

    Those in a tier below it stand apart where others are not in it, since they can wait, and batch saves nothing on them.
    """
    tiered = [each for each in rows if not each.spend.batch] if any(each.spend.tier is not None for each in rows) else []
    standard = [replace(each, spend=replace(each.spend, tier=None)) for each in tiered]
    both = [(usd, plain) for usd, plain in zip(list_on(tiered, day), list_on(standard, day), strict=True) if usd and plain]
    later, others = ([each for each in both if (each[0] < each[1]) is lower] for lower in (True, False))
    if not (later and others):
        return {"tier_price_ratio": _over_standard(both)}
    part = sum(plain for _, plain in later) / sum(plain for _, plain in both)
    return {"tier_price_ratio": _over_standard(others),
            "flexible_tier": {"price_ratio": _over_standard(later), "share": round(part, 6)}}


def _over_standard(both: Sequence[tuple[float, float]]) -> float:
    """The sum of (USD in their tiers, USD at the standard list) over that of the latter; 1 where they are free."""
    usd, plain = (sum(column) for column in zip(*both, strict=True)) if both else (0.0, 0.0)
    return round(usd / plain, 6) or 1.0 if plain else 1.0


def doubt(found: Usage) -> str:
    """What moves a scenario from these records by more than a little, and no range says; empty where nothing does."""
    w = found.workload
    unread, week = ("", "") if w is None else (unread_cache(w), part_of_a_week(w.days) if found.dated and w.requests else "")
    return ". ".join(filter(None, (_billed_beside(found), _priced_otherwise(found), unread, week)))


def _billed_beside(found: Usage) -> str:
    """Says that the provider bills more than tokens, and where a scenario has it."""
    days, provider = found.days, found.workload and found.workload.choice.provider
    items = [item for item in found.items if item.usd_per_month and item.provider in {provider, None}]
    total = sum(item.usd_per_month or 0.0 for item in items)
    tokens = 0.0 if days is None else days.mean((row.spend.day, row.usd or 0.0) for row in found.priced) * DAYS_PER_MONTH
    if total <= DOUBT * tokens:
        return ""
    told = first_of([f"${item.usd_per_month:,.0f} {item.name}" for item in items], 3)
    return (f"${total:,.0f} a month is billed without tokens ({told}), beside ${tokens:,.0f} of all models' tokens, and"
            " counts only as stated: units that answer these calls are incumbent.provisioned_throughput (owed: committed_until)"
            ", their fee in incumbent.bill_usd_per_month too; all else is costs, option: stay where a change ends it, else all")


def _priced_otherwise(found: Usage) -> str:
    """What these calls' tokens may cost besides."""
    low, high = (sum(row.list_usd or 0.0 for row in found.chosen), sum(row.list_high_usd or 0.0 for row in found.chosen))
    for batch, where in ((True, "a batch"), (False, "a tier")):
        rows = [row for row in found.chosen if row.of_no_list and row.spend.batch is batch]
        unlisted = sum(row.list_usd or 0.0 for row in rows)
        if unlisted > DOUBT * low:
            own = f"apis.{rows[0].spend.provider or 'PROVIDER'}/{rows[0].spend.model}"
            yours = (f"that costs is {own}.batch_input_usd_per_mtok and batch_output_usd_per_mtok" if batch else
                     "all outside batch cost over that price is incumbent.tier_price_ratio")
            return (f"{unlisted / low:.0%} of these calls' list price is of {where} that no list has, at the standard price:"
                    f" what {yours}, yours to state")
    if low <= 0.0 or high <= (1.0 + DOUBT) * low or (beside := paid_on_top(found.chosen)) is False:
        return ""
    return ("cached tokens may or may not be part of the input: they are taken as part of it; on top of it these calls cost up"
            f" to {high / low:.3g} x as much{READINGS[beside]}")


def paid_a_month(
    found: Usage, of: Sequence[Priced], days: Days, provider: str, bill: float | None,
) -> tuple[float | None, float | None]:
    """(USD a month that these sums really cost, the part of its gap to the list price that is volume), None: not known.

    `days` are those of the sums: of a model that began or ended within the log, its own. The sums are at the list price of the
    day for which that is asked (`at_list_of`); all figures are that price times a ratio.
    The bill that the user gives is of all calls (shared out by what all rows report that they cost, if anything, else by the
    list of their days), of their web searches and of what is billed without tokens, which come off it where they are less. Else
    what the rows report that they cost, all of them: the same rows give the tokens, so the gap is price; where they count no
    requests it is volume if they cost the list price, else unsplit. Else the list price times a cost export's factor, which
    stands for all models of the provider. Where requests are not counted, the list price alone: what a scenario's requests and
    lengths must come to, so the gap is volume. And of calls with cache writes that are kept an hour, which no field of a
    scenario says, their list price: the gap is price.
    """
    log, whole = found.days or days, set(days.complete)
    rows = [each for each in of if each.spend.day in whole]
    listed = days.mean((each.spend.day, each.list_usd or 0.0) for each in rows) * DAYS_PER_MONTH
    if bill is not None:
        told = all(each.spend.costed for each in (*rows, *found.priced)) and any(each.spend.cost_usd for each in found.priced)
        part, every = (over.mean((each.spend.day, each.spend.cost_usd if told else each.list_usd or 0.0) for each in some)
                       for over, some in ((days, rows), (log, found.priced)))
        bill -= beside_of(bill, beside_tokens(found.priced, found.items, log))
        return (bill * part / every if every and whole else None), None
    uncounted = found.workload is not None and found.workload.requests_per_day is None
    if rows and all(each.spend.costed for each in rows):
        paid = days.mean((each.spend.day, each.spend.cost_usd) for each in rows) * DAYS_PER_MONTH
        return paid, 0.0 if not uncounted else 1.0 if abs(paid - listed) < DOUBT * listed else None
    factor = next((r.factor for r in found.reconciliations if r.basis == "costs" and r.provider == provider), None)
    if factor is not None:
        return listed * factor, None
    if uncounted:
        return listed, 1.0
    return (listed, 0.0) if any(each.spend.tokens["cache_write_1h"] for each in rows) else (None, None)


def writes_nothing(rows: Sequence[Priced]) -> bool:
    """True where tokens were read from a cache and none are told as written to it: the list price has no write in it."""
    return any(each.spend.tokens["cache_read"] for each in rows) and not _writes(rows)


def _writes(rows: Sequence[Priced]) -> bool:
    return any(each.spend.tokens["cache_write"] for each in rows)


def _comments(found: Usage, w: MeasuredWorkload) -> Iterator[str]:
    task = f", group {w.choice.group}" if w.choice.group is not None else ""
    yield f"What usage records settle for {w.choice.model}{task}; overlay it: roi compare my.yaml --usage THIS_FILE"
    whole = f"{len(w.days.complete)} whole days{without_told(w.days)}"
    yield f"{day_of(w.days.first)} to {day_of(w.days.last)}, {whole}; hours are UTC"
    if told := w.days.used_told(w.log_days):
        over = "" if w.requests_per_day_of_log is None else (
            f"; {w.requests_per_day_of_log:,.0f} requests a day over all {len(w.log_days.complete)}")
        yield f"{w.choice.model} {told}{over}"
    yield from silent(w.days)
    yield from no_weekend(w.days, w.requests_per_day if w.requests is not None else None)
    for name, title, rows in found.sources[:5]:
        yield f"read: {name} ({title}, {rows:,} row{'s' * (rows != 1)})"
    yield from told_rates(found.rates)
    yield from (f"billed without tokens, counted only as you state it: {item.name}, ${item.usd_per_month:,.2f} a month"
                for item in found.items if item.usd_per_month)
    yield from (f"not told: {field}: {why}" for field, why in w.missing)
    if w.beyond_context:
        yield f"incumbent.context_tokens: {w.beyond_context}"
    if any(each.spend.tier is not None for each in found.chosen):
        yield ("calls in a tier that is not the standard one: incumbent.tier_price_ratio is what those outside batch cost over"
               " the standard list, but for those of incumbent.flexible_tier, where some alone are in a cheaper one: what can"
               " wait is in it first, so that batch saves on what can wait beyond them; no other model has such tiers")
    if any(each.spend.tokens["cache_write_1h"] for each in found.chosen):
        yield "cache writes that are kept an hour: the bill has their list price, in place of that of the shorter time"
    if writes_nothing(found.chosen):
        yield ("no row counts tokens written to a cache: as long as no bill stands here, calls that miss it pay plain input;"
               " incumbent.writes_cache: true has them written at the list's price")
    if searched := w.days.mean((each.spend.day, searched_usd([each])) for each in found.chosen if not each.spend.costed):
        a_month = round(searched * DAYS_PER_MONTH, 2)
        yield (f"web searches: ${a_month:,} a month at list price, which are no tokens and in no figure here. An option without"
               f" the tool buys them elsewhere: write costs: [{{name: web searches, option: all, usd_per_month: {a_month}}}]")
    if w.requests_per_day is None:
        yield "a bill that nothing reports is these tokens at list price: what a scenario's requests and lengths must come to"
