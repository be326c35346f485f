"""What a format is, and the one record that each becomes: disjoint token counts of a call, a bucket of calls, or a cost."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date as Date
from functools import reduce
from operator import add, or_
from typing import Any, Final, Literal

from roi.errors import InputError
from roi.facts.exchange_rate import ExchangeRate
from roi.usage.read.columns import DAY_US, count, dollars, find, in_range, real, text, unread, when, whole, with_periods, zero
from roi.usage.read.lazy_ibis import Column, Table, ibis

LONGEST_NAME: Final = 40
"""Characters of a name of a file's own that a message shows."""
Document = dict[str, Any]  # Any: JSON as it was parsed
SEVERAL_USAGES: Final = "a line with several usages, none of which is told to be the call's"
NO_TIME: Final = "no time that can be read"
OUTSIDE: Final = "a time outside 2000 to 2099"
TIMELESS: Final = (NO_TIME, OUTSIDE)
UNREADABLE_COUNT: Final = "a token count that cannot be read"
UNREAD_COST: Final = "a cost that is no number with a decimal point"
UNREAD_REQUESTS: Final = "a number of requests that cannot be read"
NO_NAME: Final = "no model named"
NOT_USD: Final = "an amount that is not stated in USD"
AMOUNT_IN: Final = "an amount in "
"""And the currency of that amount, where it is a code of three letters: other text may be a prompt of a shifted row."""
NO_RATE: Final = "; what is read is in USD, or at a rate that --exchange-rate states"
SIGNS: Final = {"\u20ac": "EUR", "\u00a3": "GBP"}
"""Signs that are of one currency alone."""
CODE: Final = 3
"""Characters of a currency's code (ISO 4217); a sign has fewer."""
EMPTY_BUCKET: Final = "empty bucket"
NO_TOKENS: Final = "a cost of something else than tokens"
"""Its row is billed, beside tokens or in their place: `model` is what the bill calls it."""
EMPTY_CALL: Final = "no token and no cost: no call"
CACHED_ABOVE_INPUT: Final = "cached tokens above the input"
OVER: Final = f"{CACHED_ABOVE_INPUT}; if the input leaves them out: --input-includes-cache no"
OTHER_MODEL: Final = "a model of embeddings, images, video, speech or ranks"
PAYS: Final = "a credit, which pays for usage"
"""Reasons for which rows of several formats do not count."""
LOST: Final = (UNREADABLE_COUNT, UNREAD_COST, UNREAD_REQUESTS, NO_NAME, NOT_USD, AMOUNT_IN, CACHED_ABOVE_INPUT, "a negative ",
               "a count that cannot be read", SEVERAL_USAGES)  # fmt: skip
"""Beginnings of the reasons for which usage that there was does not count, so that its day's sums are too low."""
TOKENS_KNOWN: Final = (UNREAD_COST, UNREAD_REQUESTS, NO_NAME, "a negative number of requests", "a negative cost")
"""Those reasons in LOST for rows whose tokens are known, where they have any."""
HOUR_US: Final = DAY_US // 24
LONGEST_GROUP: Final = 120
"""Characters of a group's name; what is longer is a text, and is not kept."""
PROMPT: Final = ("uncached_input", "cache_read", "cache_write")
"""Counts of tokens that a prompt is made of."""
TOKENS: Final = (*PROMPT, "output")
"""The disjoint counts that are billed; cache_write holds both lives of a cache entry."""
FILE: Final = "roi file of this row"
"""Column that says in which file a raw row stands."""
LINE: Final = "roi line of this row"
"""Column that says where a raw row is, where that is asked for."""
PART: Final = "roi part"
BUCKET: Final = "roi bucket"
SPLIT: Final = "roi split"
ITEM: Final = "roi item"
"""Columns beside the record's where rows are buckets or costs, so that `usage.buckets` finds those that two exports hold: a
hash of whose it is, the same with its time, the bits of `Format.split_by` that are filled in, and one of `Format.item`."""
CURRENCY: Final = "roi currency"
PAID_IN: Final = "roi paid in"
"""What a cost is in before it is taken in USD, beside the record's columns where rates are stated."""
OF_PART: Final = "part "
"""Beginning of the columns that tell one bucket from another, until they are hashed."""
COLUMNS: Final = {
    **dict.fromkeys(("source", "kind", "provider", "model", "group"), "string"), "at_us": "int64", "until_us": "int64",
    "batch": "boolean", "tier": "string", "long_context": "boolean", "requests": "int64", "uncached_input": "int64",
    "cache_read": "int64", "cache_write": "int64", "cache_write_1h": "int64", "output": "int64", "reasoning": "int64",
    "perhaps_cached": "int64", "other_money": "int64", "life_open": "int64", "web_searches": "int64",
    "cost_usd": "float64", "dropped": "string",
}  # fmt: skip
"""Columns of the record, in order. Tokens are counts of the row; times are microseconds since 1970 UTC.

source: name of the format. kind: call, bucket (many calls, until_us ends it) or cost (money without tokens).
group: what `--group-by` asked for. tier: the provider's word, null where it is the standard one. long_context: whether the
export says that the call's input was above the provider's first price edge, null where it does not say. requests: null where
the export does not count them. cache_write_1h: the part of cache_write that is kept an hour. reasoning: the part of output, for
information. perhaps_cached: tokens that would count as uncached input too if the source's input column leaves cached tokens
out, where nobody said so; 0 where it is known. cost_usd: what the source reports. other_money: 1 where that is in another
currency, and cost_usd null for it. life_open: the part of cache_write of which nothing tells how long it is kept.
web_searches: what the provider ran for the call, billed a piece. dropped: why the row does not count, null where it does.
"""
TIMES: Final = ("hour", "day", "weekday", "month")
"""Kinds of groups that every record has, since it has a time: the hour of the day, the day of the week, all UTC."""
LONGER: Final = {"hour": (HOUR_US, "(longer than an hour)"), "weekday": (DAY_US, "(longer than a day)")}
"""Buckets that are of no one hour or weekday, and what they are called together."""
Dates = Literal["iso", "us", "eu"]
"""How a table of one's own writes its dates."""


@dataclass(frozen=True)
class FileOptions:
    """What the user said about the files."""

    group_by: str | None = None
    """A kind of group (tag, prompt, key, user, project, session, model, or of TIMES); None: the format's first."""
    includes_cache: bool | None = None
    """Whether the input column counts cached tokens too, where the format does not settle it; None: not said."""
    provider: str | None = None
    """Who is paid, where the source does not say."""
    model: str | None = None
    """The model, where the source does not say."""
    dates: Dates = "iso"
    """us: 10/05/2026 is the fifth of October; eu: the tenth of May, and so is 10.05.2026."""
    columns: tuple[tuple[str, str], ...] = ()
    """Columns of the generic format: (what, the file's own name)."""
    rates: tuple[ExchangeRate, ...] = ()
    """What amounts in other currencies are worth, by currency and day."""
    periods: bool = False
    """Whether times of a table of one's own may be names of months, quarters and weeks: asked where one is no moment, since it
    takes half as long again."""


@dataclass(frozen=True)
class Fields:
    """What a format reads, as Ibis expressions over its raw table; what it does not say is left as it is here."""

    at_us: Column
    provider: Column | str | None = None
    """What --provider says stands in where this says nothing."""
    model: Column | str | None = None
    """What --model says stands in where this says nothing, but for costs."""
    uncached_input: Column | int = 0
    input: Column | None = None
    """In place of `uncached_input`, an input that counts cache reads and writes too: a row with more of these is dropped."""
    output: Column | int = 0
    cache_read: Column | int = 0
    cache_write: Column | int = 0
    cache_write_1h: Column | int = 0
    reasoning: Column | int = 0
    requests: Column | int | None = 1
    """How many requests the row stands for; a cost has none."""
    until_us: Column | None = None
    batch: Column | bool = False
    tier: Column | None = None
    long_context: Column | bool | None = None
    perhaps_cached: Column | int = 0
    life_open: Column | int | None = None
    """None: all of cache_write where the format may lack it (`Format.may_lack_hour`), else none of it."""
    web_searches: Column | int = 0
    cost_usd: Column | None = None
    costs: Sequence[str] = ()
    """Columns that hold what the row cost: one that is filled and no number drops its row."""
    dollars: bool = False
    """True where such a cell may have a dollar sign, or USD, beside its number."""
    counts: Sequence[str] = ()
    """Columns that hold how many requests the row stands for: one that is filled and no whole number drops its row."""
    currency: Column | None = None
    """Currency of the cost: another than USD drops a row of a cost export, and is left out of a row with tokens, which an empty
    cell leaves in USD. What is no name of a currency drops any row: a prompt may stand there, the cells shifted."""
    reasons: Sequence[tuple[Column, str]] = ()
    """(condition, why the row is dropped) of the format's own, looked at first and in order; one that is null drops no row."""

    def disjoint(self) -> "Fields":
        """The fields with the input that was not cached in place of one that counts all; the last reason is more than all."""
        if self.input is None:
            return self
        left = self.input - self.cache_read - self.cache_write
        return replace(self, input=None, uncached_input=left, reasons=(*self.reasons, (left < 0, CACHED_ABOVE_INPUT)))


@dataclass(frozen=True, eq=False)
class Format:
    """One source of usage records: how it is recognised, and what its raw rows say."""

    name: str
    """Name for `--from`: openai-csv, bedrock-log ..."""
    title: str
    """What people call the format."""
    grain: Literal["call", "bucket", "cost"]
    """A row is one call, a bucket of calls, or an amount of money."""
    needs: frozenset[str]
    """Column names, in lower case, that a header must have to be this format."""
    uses: tuple[str, ...]
    """Other columns that are read where they are there, in lower case. No column outside `needs` and `uses` is ever read."""
    fields: Callable[[Table, FileOptions], Fields]
    """What the raw rows say."""
    prepare: Callable[[Table], Table] = lambda raw: raw
    """The raw table with columns that `fields` and groups need besides, or need otherwise."""
    recognises: Callable[[Document], bool] | None = None
    """True where a JSON document (a file, or one line of it) is of this format; None: tables alone."""
    flatten: Callable[[Document], Iterator[Document]] | None = None
    """Raw rows of a JSON document, with the column names of `needs` and `uses`; no other value may leave it."""
    session: Callable[[Iterable[Document]], Iterator[Document]] | None = None
    """Raw rows of all documents of a file in order, where one says what the next ones mean; in place of `flatten`."""
    markers: tuple[str, ...] = ()
    """Texts of which a line of JSON holds one where it says something; other lines are not parsed. Empty: all are."""
    mark: str = ""
    """A text by which its other lines are known for its own before they are parsed, so that no other usage is looked for."""
    once: tuple[str, str] | None = None
    """(column that names a call, a count of it) where a call may stand in several lines and files: the largest count stands."""
    table_by_document: bool = False
    """True where a row of a table is to be flattened as a document, since a cell of it holds text that must not be copied."""
    period: str = ""
    """The column of times where its cells may name months, quarters and weeks (`FileOptions.periods`)."""
    own_columns: bool = False
    """True where the user may say what its columns hold (--map)."""
    relative: bool = False
    """True where times count from the beginning of the file, and have no date."""
    equivalent: bool = False
    """True where calls may be under a subscription: at list price they are no bill."""
    local_times: bool = False
    """True where times without an offset may be local (--timezone); a vendor's are UTC."""
    parts: tuple[str, ...] = ()
    """Columns that tell one bucket from another of the same time, model, batch and tier: keys, projects, users; no counts."""
    item: str = ""
    """Column that tells a row from others of its file which are alike in all else; not from those of another export."""
    split_by: tuple[str, ...] = ()
    """Columns among `parts` by which an export may be grouped or not: empty in all rows where it was not."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Kind of group (tag, prompt, key, user, project) to the column that holds it; the first is the default."""
    may_lack_cached: bool = False
    """True where cached tokens may have been read and none is told."""
    may_lack_written: bool = False
    """True where tokens may have been written to a cache and none is told."""
    may_lack_hour: bool = False
    """True where cache writes may be kept an hour and none is told to be."""
    may_double: Mapping[str, str] = field(default_factory=dict)
    """Who is paid, and whose rows may count cached tokens twice in the input and not say that they are theirs."""
    apart: Mapping[str, str] = field(default_factory=dict)
    """Counts whose rows stand apart from those of the others, so that a file may lack all of them, and what tells each."""
    remarks: tuple[str, ...] = ()
    """Sentences for the reader of the answer on what its columns are taken to be."""

    @property
    def columns(self) -> frozenset[str]:
        """Every column that may be read."""
        return self.needs | frozenset(self.uses)

    def records(self, raw: Table, options: FileOptions) -> Table:
        """The raw table as records: typed, with the first reason that drops a row. Rows are never filtered here, only marked.

        A row is dropped for a reason of its format, then: no time, no model, a token count that is missing or no number, a
        negative count, of the input first, a number of requests or a cost that is negative or none. (A cost needs a time and an
        amount alone; it may be negative, a credit.)
        """
        raw = self.prepare(raw if self.once is None else _largest(raw, *self.once))
        raw = with_periods(raw, self.period) if options.periods and self.period else raw
        fields = self.fields(raw, options).disjoint()
        values = {**vars(fields), "other_money": 0, "source": self.name, "kind": self.grain, "group": self._group(raw, options),
                  "provider": _filled(fields.provider, options.provider)}
        if fields.life_open is None:
            values["life_open"] = fields.cache_write if self.may_lack_hour else 0
        values |= {"requests": None} if self.grain == "cost" else {"model": _filled(fields.model, options.model)}
        columns = {name: _typed(values[name], kind) for name, kind in COLUMNS.items() if name != "dropped"}
        columns["model"] = columns["model"].nullif("")
        if options.group_by in TIMES:
            columns["group"] = when(columns["at_us"], options.group_by)
        if options.group_by in LONGER:
            most, called = LONGER[options.group_by]
            longer = (columns["until_us"] - columns["at_us"] > most).fill_null(False)
            columns["group"] = ibis.ifelse(longer, called, columns["group"])
        conditions = list(fields.reasons)
        if self.grain != "cost" and any(find(raw, name) for name in fields.costs):
            conditions.append((unread(raw, *fields.costs, kind=dollars if fields.dollars else real), UNREAD_COST))
        if any(find(raw, name) for name in fields.counts):
            conditions.append((unread(raw, *fields.counts, kind=whole), UNREAD_REQUESTS))
        columns |= {} if fields.currency is None else {CURRENCY: fields.currency.upper().fill_null("")}
        columns |= {f"roi reason {k}": condition for k, (condition, _) in enumerate(conditions)}
        columns |= self._parts(raw) if self.grain != "call" and FILE in raw.columns else {}
        columns |= {LINE: raw[LINE]} if LINE in raw.columns else {}
        read = raw.select(**columns)  # each cell is read here; what follows reads columns, and does not say it all again
        of_format = [(read[f"roi reason {k}"], why) for k, (_, why) in enumerate(conditions)]
        below = (read.uncached_input + read.cache_read + read.cache_write < 0).fill_null(False)
        own = [(condition & ~below if why.startswith(CACHED_ABOVE_INPUT) else condition, why)
               for condition, why in of_format[: len(fields.reasons)]]
        unread_cells = of_format[len(fields.reasons) :]
        if fields.currency is not None:
            read, no_dollars = _in_usd(read, options.rates, tokens=self.grain != "cost")
            before = next((k for k, each in enumerate(own) if each[1] is NO_TOKENS), len(own))
            own[before:before] = no_dollars
        checks = [*own, (read.at_us.isnull(), NO_TIME), (~in_range(read.at_us), OUTSIDE)]
        if self.grain == "cost":
            checks.append((read.cost_usd.isnull(), "no amount that can be read"))
        else:
            counts = [read[name] for name in (*TOKENS, "cache_write_1h", "reasoning")]
            checks += [(read.model.isnull(), NO_NAME), (reduce(or_, [x.isnull() for x in counts]), UNREADABLE_COUNT),
                       (below, "a negative count of input tokens"),
                       (reduce(or_, [x < 0 for x in counts]), "a negative token count")]
            if fields.requests is not None:
                checks.append(((read.requests < 0).fill_null(False), "a negative number of requests"))
            checks += [*unread_cells, *([] if fields.cost_usd is None else [(read.cost_usd < 0, "a negative cost")])]
            if self.grain == "call":
                empty = reduce(add, [read[name] for name in TOKENS]) == 0
                checks.append((empty & (read.cost_usd.fill_null(0.0) == 0.0) & (read.requests.fill_null(1) == 1), EMPTY_CALL))
        told = {"dropped": ibis.cases(*checks, else_=ibis.null("string"))}
        of_files = _buckets_of(read) if FILE in read.columns else {}
        more = {name: read[name] for name in (LINE, PAID_IN) if name in read.columns}
        return read.select(*(name for name in COLUMNS if name not in told), **told, **of_files, **more)

    def _parts(self, raw: Table) -> dict[str, Column]:
        """The file of a bucket or a cost, what tells it from another of the same time and model, and SPLIT."""
        own = {f"{OF_PART}{name}": text(raw, name) for name in self.parts if find(raw, name)}
        bits = [ibis.ifelse(text(raw, name).isnull(), 0, 1 << k) for k, name in enumerate(self.split_by) if find(raw, name)]
        item = {ITEM: text(raw, self.item).hash()} if self.item else {}
        return {FILE: raw[FILE], SPLIT: reduce(add, bits, ibis.literal(0)).cast("int64"), **item, **own}

    def _group(self, raw: Table, options: FileOptions) -> Column | None:
        """The group that the user asked for, else the format's first kind that the table has; people are shown if asked for.

        Only the format's own kinds can be asked for, by their names or those of their columns, so that no column of prompts is
        read; InputError with what there is.
        """
        there = {kind: name for kind, name in self.groups.items() if find(raw, name)}
        kind = next((kind for kind in there if kind != "user"), "model") if options.group_by is None else options.group_by
        kind = next((each for each, name in there.items() if kind not in there and name.lower() == kind.lower()), kind)
        if kind in ("model", *TIMES):
            return None  # the record has it
        if kind not in there:
            known = ", ".join([*there, "model", *TIMES])
            own = "; another column of it: --map group=COLUMN" if self.own_columns else ""
            raise InputError(f"--group-by: {kind!r} is not in {self.title}; there is {known}{own}")
        name = text(raw, there[kind])
        return ibis.ifelse(name.length() > LONGEST_GROUP, "(too long for a name)", name)


def _in_usd(read: Table, rates: Sequence[ExchangeRate], *, tokens: bool) -> tuple[Table, list[tuple[Column, Column | str]]]:
    """Rows with their amounts in USD, and why those in another currency do not count; one with `tokens` loses its amount alone.

    At a stated rate of the currency: the latest that is not of a later day, else the first.
    """
    paid = read[CURRENCY]
    if rates:
        paid = ibis.cases(*((paid == sign, code) for sign, code in SIGNS.items()), else_=paid)
        latest_first = sorted(rates, key=lambda rate: rate.since, reverse=True)
        firsts = {rate.currency: rate.usd for rate in latest_first}
        since = [((paid == rate.currency) & (read.at_us >= (rate.since - Date(1970, 1, 1)).days * DAY_US), rate.usd)
                 for rate in latest_first]
        each = ibis.cases(*since, *((paid == code, usd) for code, usd in firsts.items()), else_=1.0)
        usd = ibis.ifelse(paid.isin(list(firsts)), "USD", paid)
        read = read.mutate(cost_usd=read.cost_usd * each, **{CURRENCY: usd, PAID_IN: paid})
        paid = read[CURRENCY]
    if tokens:
        other = read.cost_usd.notnull() & ~paid.isin(["USD", ""]) & (paid.length() <= CODE)
        read = read.mutate(other_money=other.cast("int64"), cost_usd=ibis.ifelse(other, ibis.null("float64"), read.cost_usd))
        paid = ibis.ifelse(read[CURRENCY] == "", "USD", read[CURRENCY])
    other, code = read.cost_usd.notnull() & (paid != "USD"), paid.re_search("^[A-Z]{3}$")
    return read, [(other & code, ibis.literal(AMOUNT_IN).concat(paid, NO_RATE)), (other, NOT_USD)]


def _buckets_of(read: Table) -> dict[str, Column]:
    """FILE, PART, BUCKET and SPLIT of buckets or costs."""
    known = ("provider", "model", "batch", "tier", "long_context", *(name for name in read.columns if name.startswith(OF_PART)))
    words = {name: read[name].cast("string").fill_null("false" if name == "long_context" else "") for name in known}
    times = {name: read[name].fill_null(0) for name in ("at_us", "until_us")}
    own = {name: read[name] for name in (FILE, SPLIT, ITEM) if name in read.columns}
    return {**own, PART: ibis.struct(words).hash(), BUCKET: ibis.struct({**words, **times}).hash()}


def _largest(raw: Table, name: str, size: str) -> Table:
    """The row with the largest count of those of one name, the first of them in time; rows without a name as they are."""
    order = [ibis.desc(count(raw, size)), text(raw, "timestamp")]
    place = ibis.row_number().over(group_by=text(raw, name), order_by=order)
    return raw.mutate(roi_place=place).filter(lambda t: (t.roi_place == 0) | text(t, name).isnull()).drop("roi_place")


def _filled(value: Column | str | None, word: str | None) -> Column | str | None:
    """The value with the word where it says nothing; as it is without one, since coalesce loses DuckDB's dictionary."""
    if word is None or isinstance(value, str):
        return value
    return word if value is None else value.fill_null(word)


def _typed(value: Any, kind: str) -> Column:  # Any: a value of Fields
    """The value as an expression of this type."""
    if value is None:
        return ibis.null(kind)
    return ibis.literal(value, type=kind) if isinstance(value, int | float | str) else value.cast(kind)


def ambiguous_input(
    total: Column, read: Column, written: Column, options: FileOptions, *, shows: bool = False, known: Column | bool = False,
) -> dict[str, Any]:  # Any: of Fields
    """The Fields of input and cache where it is open whether `total` counts cached tokens too; unsaid, it is taken to.

    `shows`: where cached tokens are more than it, it leaves them out. `known`: rows of which it is known to count them,
    whatever is said of the others.
    """
    if zero(read) and zero(written):
        return {"uncached_input": total, "cache_read": read, "cache_write": written, "perhaps_cached": 0, "reasons": ()}
    left, cached, said = total - read - written, read + written, options.includes_cache
    over = ((left < 0) & (cached > 0)).fill_null(False)
    shown = shows and said is None
    uncached = ibis.ifelse(known, left, total) if said is False else ibis.ifelse(over, total, left) if shown else left
    return {"uncached_input": uncached, "cache_read": read, "cache_write": written,
            "perhaps_cached": 0 if said is not None else ibis.ifelse(over | known if shown else known, 0, cached),
            "reasons": () if shown else ((over & known if said is False else over, OVER),)}
