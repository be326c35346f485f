"""The workload of one model (or one task on it), as far as a log settles it; what it cannot tell is listed, not invented.

The model is the one that the user names, the only one, or one with most of what was spent.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from roi.catalog.prices.api_prices import find_api_price, maker_of
from roi.catalog.prices.vendors import cache_minimum
from roi.errors import InputError, UnknownName
from roi.facts.price import ApiPrice
from roi.usage.measure.aggregate import Spend, length_cells, minute_counts, read_cells
from roi.usage.measure.days import Days, days_in_use
from roi.usage.measure.growth import LEAST_WEEKS, Growth, MeanDay, mean_day, trend, whole_weeks
from roi.usage.measure.lengths import Lengths, Prefix, measure_lengths, prefix_of_buckets, prefix_of_calls, within_prompts
from roi.usage.measure.payees import models_called
from roi.usage.measure.pricing import Priced, day_of, total_requests, total_tokens
from roi.usage.measure.shape import MINUTES_OF_DAY, Shape, exactness, load_shape
from roi.usage.read.columns import DAY_US
from roi.usage.read.lazy_ibis import Backend, Table
from roi.usage.read.names_alone import NOT_A_NAME
from roi.usage.read.record import TOKENS

MAIN_SHARE: Final = 0.9
"""A model with at least this share of what was spent is the incumbent without being named."""
WEEK_US: Final = 7 * DAY_US
Model = tuple[str | None, str]
"""Provider and name."""


@dataclass(frozen=True)
class Choice:
    """Whose workload is measured: a model, or one group's calls of it."""

    provider: str | None
    model: str
    group: str | None = None

    def filter(self, records: Table) -> Table:
        """The model's (and group's) records that count."""
        whose = records.provider == self.provider if self.provider is not None else records.provider.isnull()
        found = [records.dropped.isnull(), records.model == self.model, whose]
        return records.filter(*found, *([] if self.group is None else [records.group == self.group]))


def choose_incumbent(
    priced: Sequence[Priced], groups: Sequence[Priced], named: str | None, task: str | None,
) -> tuple[Choice | None, str]:
    """(whose workload is measured, why none is). `named` is a model and `task` a group, where the user says them.

    A task that is no group but a model is that model's calls, as they stand beside the groups. Models are compared by what was
    spent, or by tokens where nothing has a price.
    """
    known_price = any(each.usd for each in priced)
    sizes = _sizes(priced, lambda each: each.usd or 0.0) if known_price else _sizes(priced, _tokens)
    if not sizes:
        return None, "no row counts tokens of a model"
    if task is not None and task not in {each.spend.group for each in groups}:
        if named is not None or not any(task == model for _, model in sizes):
            there = {each.spend.group for each in groups} | {model for _, model in sizes}
            raise UnknownName("--task", task, sorted(filter(None, there)), "group or model")
        named, task = task, None
    if named is not None:
        model = _named(named, list(sizes))
    elif task is not None:
        found = _of_group(task, groups)
        if found is None:
            return None, f"group {task} runs on several models: say which one, --incumbent provider/model"
        model = found
    else:
        model = max(sizes, key=lambda key: sizes[key])
        if several := (_without_price(priced) if known_price else "") or _alike(sizes, model):
            return None, f"several models{several}: say which one is the incumbent, --incumbent provider/model"
    if task is not None:
        there = {each.spend.group for each in groups if (each.spend.provider, each.spend.model) == model}
        known = sorted(name for name in there if name is not None)
        if task not in known:
            raise UnknownName("--task", task, known, f"group of {model[1]}")
    return Choice(*model, task), ""


def _alike(sizes: Mapping[Model, float], largest: Model) -> str:
    """The shares of models where the largest has not MAIN_SHARE; empty where it has."""
    total, names = sum(sizes.values()) or 1.0, models_called(sizes)
    if len(sizes) == 1 or sizes[largest] / total >= MAIN_SHARE:
        return ""
    first = sorted(sizes.items(), key=lambda each: -each[1])[:4]
    return f" ({', '.join(f'{names[key]} {size / total:.0%}' for key, size in first)})"


def _without_price(priced: Sequence[Priced]) -> str:
    """Says that models without a price have so many tokens that what was spent does not tell the main one; else empty."""
    tokens, bare = _sizes(priced, _tokens), _sizes([each for each in priced if not each.usd], _tokens)
    share = sum(bare.values()) / (sum(tokens.values()) or 1.0)
    if share <= 1.0 - MAIN_SHARE:
        return ""
    most = max(bare, key=lambda key: bare[key])
    return f", and {models_called(tokens)[most]} has no price and {bare[most] / sum(tokens.values()):.0%} of the tokens"


def _tokens(each: Priced) -> float:
    return float(sum(each.spend.tokens[name] for name in TOKENS))


def _sizes(rows: Iterable[Priced], size: Callable[[Priced], float]) -> dict[Model, float]:
    """Sums of a size by provider and model."""
    sizes: dict[Model, float] = defaultdict(float)
    for each in rows:
        if each.spend.model not in (None, NOT_A_NAME):
            sizes[each.spend.provider, each.spend.model] += size(each)
    return dict(sizes)


def _of_group(name: str, groups: Sequence[Priced]) -> Model | None:
    """The model on which a group runs with MAIN_SHARE of its tokens; None where there is none."""
    sizes = _sizes((each for each in groups if each.spend.group == name), _tokens)
    main = max(sizes, key=lambda key: sizes[key])
    return main if sizes[main] >= MAIN_SHARE * sum(sizes.values()) else None


def _named(name: str, known: Sequence[Model]) -> Model:
    """The one that `provider/model` or `model` names."""
    spelled = {f"{provider}/{model}" if provider else model: (provider, model) for provider, model in known}
    if name in spelled:
        return spelled[name]
    fitting = [key for key in known if key[1] == name] or [
        (None, model) for provider, model in known if provider is None and name == f"{maker_of(model)}/{model}"]
    if len(fitting) == 1:
        return fitting[0]
    raise UnknownName("--incumbent", name, spelled, "model of these files:" if not fitting else "model, several have it:")


@dataclass(frozen=True)
class MeasuredWorkload:
    """What a log says about a workload; None where it does not."""

    choice: Choice
    days: Days
    """Days of the log, from the main model's first to its last call where it began or ended within the log."""
    log_days: Days
    """All days of the log."""
    requests: int | None
    requests_per_day: float | None
    """Requests of a mean day of `days`."""
    requests_per_day_of_log: float | None
    """Requests of a mean day of the log."""
    mean_day: MeanDay | None
    """`requests_per_day` with what its days leave open; None where the user says them."""
    input_tokens: float | None
    """Mean of a request, cached tokens included."""
    output_tokens: float | None
    lengths: Lengths | None
    prefix: Prefix | None
    shape: Shape | None
    growth: Growth | None
    batch_share: float | None
    """Requests in batch over all."""
    uses_cache: bool
    tiers: tuple[tuple[str, float], ...] = ()
    """(tier that is not the standard one, requests in it over all), the most first; batch is none of them."""
    context_tokens: int | None = None
    """What the list says that a call may hold; None where it does not."""
    missing: tuple[tuple[str, str], ...] = ()
    """(field of the scenario, why the log does not settle it)."""

    @property
    def beyond_context(self) -> str:
        """Says that calls were answered which are longer than the list says that any may be; empty where none is."""
        longest = 0 if self.lengths is None else self.lengths.longest
        if self.context_tokens is None or longest <= self.context_tokens:
            return ""
        return (f"the log shows an answered call of {longest:,} tokens, answer included, the list says {self.context_tokens:,}:"
                " today's model takes it, if a row is one call")


def measure_workload(
    records: Table, backend: Backend, rows: Sequence[Spend], days: Days, choice: Choice,
    requests_per_day: float | None = None, *, zone: str = "UTC",
) -> MeasuredWorkload:
    """The workload of `choice`; `rows` are its sums by day, `requests_per_day` what the user says where nothing counts them.

    `zone` is that of times without an offset.

    Of a model that began or ended within the log, its days are those between (`days_in_use`): a mean over days before it took
    over another's calls is of no day at all. Its growth is not told then, since calls that move between models are none.
    """
    log, days = days, days_in_use(days, rows)
    kept, listed = choice.filter(records), listed_on(choice.provider, choice.model, days.last)
    shortest = shortest_prefix(choice.provider, choice.model, listed)
    calls = all(row.kind == "call" for row in rows)
    tokens, requests = total_tokens(rows), total_requests(rows)
    total_input = tokens["uncached_input"] + tokens["cache_read"] + tokens["cache_write"]
    per_day = _per_day(rows, days) if requests is not None else None
    if per_day is not None and requests_per_day is not None:
        raise InputError(f"--requests-per-day: {requests_per_day:g} is not needed; these records count {per_day:,.0f} a day")
    of_log = _per_day(rows, log) if requests is not None else None
    mean = None if per_day is None else mean_day(by_day(rows), days, per_day)
    per_day = requests_per_day if per_day is None else per_day
    count: float | None = requests
    if count is None and requests_per_day is not None and rows:  # as many as the user's figure implies for the days of the rows
        count = requests_per_day * _mean_days(rows, days)
    lengths = prefix = shape = None
    if calls:
        cells = length_cells(kept, backend, max((sum(row.tokens[name] for name in TOKENS) for row in rows), default=0))
        lengths = measure_lengths(cells)
        reads = read_cells(kept, backend) if tokens["cache_read"] else []
        minutes = minute_counts(kept, backend)
        shape = load_shape(minutes.minute, minutes.calls, days.complete, exactness(minutes, zone))
        prefix = prefix_of_calls(cells, reads, tokens["cache_write"], shortest)
        if prefix is not None and lengths is not None:
            prefix = within_prompts(prefix, lengths.bins, shortest if prefix.minimum is None else prefix.minimum)
    else:
        prefix = prefix_of_buckets(count, tokens["cache_read"], tokens["cache_write"], shortest,
                                   total_input / count if count else float("inf"))
    growth = None if days.ends_within(log) else trend(by_day(rows), days.complete)
    batched = total_requests([row for row in rows if row.batch])
    found = MeasuredWorkload(
        choice=choice, days=days, log_days=log, requests=requests, requests_per_day=per_day, requests_per_day_of_log=of_log,
        mean_day=mean,
        input_tokens=total_input / count if count else None, output_tokens=tokens["output"] / count if count else None,
        lengths=lengths, prefix=prefix, shape=shape, growth=growth,
        batch_share=batched / requests if requests and batched is not None else None,
        uses_cache=tokens["cache_read"] + tokens["cache_write"] > 0, tiers=_tiers(rows, requests),
        context_tokens=None if listed is None else listed.context_tokens)
    longest = max(((row.last_us or 0) - (row.first_us or 0) for row in rows if row.kind == "bucket"), default=0)
    return replace(found, missing=tuple(_missing(found, calls=calls, batched=bool(batched), in_weeks=longest <= WEEK_US)))


def _tiers(rows: Sequence[Spend], requests: int | None) -> tuple[tuple[str, float], ...]:
    """`MeasuredWorkload.tiers`; none where nobody counts requests."""
    counted = Counter[str]()
    for row in rows:
        if row.tier is not None and not row.batch and row.requests:
            counted[row.tier] += row.requests
    return tuple((tier, n / requests) for tier, n in counted.most_common()) if requests else ()


def shortest_prefix(provider: str | None, model: str, listed: ApiPrice | None) -> float:
    """Tokens of the shortest prefix that is cached of the model, by its list; 0 where it is not known.

    A table of one's own names no provider: who sells the model then says it, as for its price.
    """
    if listed is not None:
        return float(listed.cache_minimum_tokens or 0)
    rule = cache_minimum(provider, model) if provider is not None else None
    return float(rule.minimum_tokens) if rule is not None else 0.0


def unread_cache(w: MeasuredWorkload) -> str:
    """Says that no prompt was read from a cache which fills itself; empty where one was, or where none could have been."""
    provider, long = w.choice.provider, w.input_tokens
    rule = cache_minimum(provider, w.choice.model) if provider is not None else None
    if w.uses_cache or rule is None or not rule.automatic or w.batch_share or long is None or long < rule.minimum_tokens:
        return ""
    return (f"nothing was read from a cache, and {provider} fills one by itself from {rule.minimum_tokens:,} tokens on: where"
            " these records would show that, workload.cache_hit_rate is 0")


def listed_on(provider: str | None, model: str, day: int) -> ApiPrice | None:
    """The public list of the model on that day; None where there is none."""
    try:
        return find_api_price(provider, model, day_of(day))
    except InputError:
        return None


def by_day(rows: Sequence[Spend]) -> Mapping[int, float]:
    """Requests by day, or tokens where requests are not counted."""
    counted = total_requests(rows) is not None
    volume: dict[int, float] = defaultdict(float)
    for row in rows:
        volume[row.day or 0] += (row.requests or 0) if counted else sum(row.tokens[name] for name in TOKENS)
    return volume


def _per_day(rows: Sequence[Spend], days: Days) -> float | None:
    """Requests of a mean day (`Days.mean`); of all days where a bucket spans more than two."""
    if not days.complete:
        return None
    if _spanning(rows):
        return (total_requests(rows) or 0) / days.counted
    return days.mean((row.day, row.requests or 0) for row in rows) or None


def _mean_days(rows: Sequence[Spend], days: Days) -> float:
    """The tokens of all rows in tokens of a mean day (`Days.mean`): a day that is cut off is no whole one."""
    tokens = [(row.day, float(sum(row.tokens[name] for name in TOKENS))) for row in rows]
    mean = 0.0 if _spanning(rows) else days.mean(tokens)
    return sum(count for _, count in tokens) / mean if mean else days.counted


def _spanning(rows: Sequence[Spend]) -> bool:
    """True where a bucket spans more than two days, so that what a mean day had is known of all days alone."""
    return any(row.kind == "bucket" and (row.last_us or 0) - (row.first_us or 0) > 2 * DAY_US for row in rows)


def _missing(w: MeasuredWorkload, *, calls: bool, batched: bool, in_weeks: bool) -> Iterator[tuple[str, str]]:
    """(field of the scenario, why the log does not settle it)."""
    if w.requests is None and w.requests_per_day is None:
        yield "requests_per_day", "this export counts tokens, not requests: give --requests-per-day"
    elif w.requests_per_day is None:
        yield "requests_per_day", ("no day is covered whole" if not w.days.complete
                                   else "no request on a day that is covered whole")
    if w.days.ends_within(w.log_days):
        yield "growth_per_year", "it began or ended within these records, and calls that move between models are no growth"
    elif w.growth is None:
        weeks = len(whole_weeks(w.days.complete))
        why = "6 are the least for a trend" if weeks < LEAST_WEEKS else (
            "one of them is empty" if in_weeks else "but sums over more than a week, which do not say what each of them had")
        yield "growth_per_year", f"{weeks} whole week{'s' * (weeks != 1)}; {why}"
    if not calls:
        two = "; two stand in, so that what is cached is as recorded" if w.prefix is not None and w.prefix.prompts else ""
        yield "lengths", f"rows are buckets: the mean length is known, not its spread{two}"
        yield "peak_to_mean", "rows are buckets: give the busiest minute over the mean, or a log of calls"
    elif w.shape is not None:
        yield from _missing_load(w.shape)
    if not w.uses_cache:
        yield "shared_prefix_tokens", unread_cache(w) or (
            "nothing was read from a cache, so the log does not show what prompts share")
    elif w.prefix is None:
        yield "shared_prefix_tokens", "cached tokens without a count of requests"
    if not batched:
        yield "can_wait_share", "how much may wait for a batch price is yours to say"
    yield "ttft_p95_s, tpot_p95_s", "the SLO is yours to say"


def _missing_load(shape: Shape) -> Iterator[tuple[str, str]]:
    """(field of the scenario, why the log does not settle it) for the peak and the hours of a day."""
    if shape.peak_to_mean is None:
        usual = "usual peak" if shape.hourly_weights is None else "mean day's busiest hour, with a usual peak within it,"
        few = f"{shape.calls:,} calls, {shape.calls_per_minute * 60.0:.2g} in a mean hour: a busiest one is chance"
        part = "no call is of a day that is covered whole, and a peak is one over the mean of days"
        why = shape.exact.told or (part if shape.of_no_day else few)
        yield "peak_to_mean", f"{why}; where the scenario states none, the {usual} stands in"
    if shape.hourly_weights is None:
        yield "hourly_weights", shape.exact.told if shape.exact.minutes >= MINUTES_OF_DAY else "no day is covered whole"
