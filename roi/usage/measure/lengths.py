"""Lengths of requests from the log-bins: means, percentiles, the scenario's histogram, and the shared prefix."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from roi.usage.measure.aggregate import LengthCell, ReadCell

MOST_BINS: Final = 24
"""Cells of the histogram that a scenario gets: as many lines as a person reads. Its means are exact whatever their number."""
WIDTHS: Final = (1, 2, 4, 8, 16, 32, 64, 128)
"""Log-bins that one cell of the histogram may span each way; with the last, every length is in one of four cells."""
PERCENTILES: Final = (0.5, 0.95, 0.99)
NEVER_READ: Final = "tokens written, over calls; none of them was ever read"
BUCKETS_TELL: Final = (
    "buckets tell prefix times hit rate alone; the shortest prefix that the provider caches stands in, or the mean read")
SHORTEST_READS: Final = 0.01
"""Share of the calls that read from a cache, the shortest reads, that may be slips of a log."""
FARTHEST: Final = 4.0
"""Prompts that hold a prefix are at most so many times the mean: sums tell of no longer ones, which may cost more."""


@dataclass(frozen=True)
class LengthBin:
    """Requests of about one length."""

    input_tokens: float
    output_tokens: float
    share: float
    cached_tokens: float = 0.0
    """Mean tokens read from a cache, of calls that read none too; and of tokens written to it."""
    cache_write_tokens: float = 0.0


@dataclass(frozen=True)
class Lengths:
    """How long requests are."""

    input_mean: float
    output_mean: float
    input_percentiles: tuple[float, ...]
    """50th, 95th, 99th: the mean of the log-bin that holds it, within 4.5%."""
    output_percentiles: tuple[float, ...]
    bins: tuple[LengthBin, ...]
    """Joint histogram; its means are exact."""
    longest: int = 0
    """Tokens of the longest call that was answered, with its answer."""


def measure_lengths(cells: Sequence[LengthCell]) -> Lengths | None:
    """Lengths from the joint histogram; None without a request."""
    calls = sum(cell.calls for cell in cells)
    if not calls:
        return None
    return Lengths(
        input_mean=sum(cell.input_tokens for cell in cells) / calls,
        output_mean=sum(cell.output_tokens for cell in cells) / calls,
        input_percentiles=_percentiles([(cell.input_bin, cell.calls, cell.input_tokens) for cell in cells]),
        output_percentiles=_percentiles([(cell.output_bin, cell.calls, cell.output_tokens) for cell in cells]),
        bins=_coarsened(cells, calls), longest=max(cell.longest for cell in cells))


def _percentiles(marginal: list[tuple[int, int, int]]) -> tuple[float, ...]:
    """PERCENTILES of a histogram of (bin, calls, tokens): the mean of the bin that holds each."""
    bins: dict[int, tuple[int, int]] = {}
    for index, calls, tokens in marginal:
        had = bins.get(index, (0, 0))
        bins[index] = (had[0] + calls, had[1] + tokens)
    ascending = [bins[index] for index in sorted(bins)]
    total = sum(calls for calls, _ in ascending)
    return tuple(_mean_at(ascending, share * total) for share in PERCENTILES)


def _mean_at(bins: Iterable[tuple[int, int]], rank: float) -> float:
    """The mean of the bin that holds the call of this rank; `bins` are (calls, tokens), the shortest first."""
    seen = 0
    for calls, tokens in bins:
        seen += calls
        if seen >= rank:
            return tokens / calls
    return 0.0


def _coarsened(cells: Sequence[LengthCell], calls: int) -> tuple[LengthBin, ...]:
    """At most MOST_BINS cells: wider and wider log-bins until few enough hold requests. Cells without input join the next.

    None holds calls of both sides of an edge of some price by length, or of a usual context: a mean below it would hide what
    those above it cost, or that they do not fit. So there may be as many again of those that an edge parts.
    """
    merged: dict[tuple[int, int, int, int], list[int]] = {}
    for step in WIDTHS:
        merged = {}
        for cell in cells:
            key = (cell.size_class, cell.context_class, int(max(cell.input_bin, 0) // step), int((cell.output_bin + 1) // step))
            held = merged.setdefault(key, [0, 0, 0, 0, 0])
            for k, more in enumerate((cell.calls, cell.input_tokens, cell.output_tokens, cell.cache_read, cell.cache_write)):
                held[k] += more
        if len({key[2:] for key in merged}) <= MOST_BINS and len(merged) <= 2 * MOST_BINS:
            break
    return tuple(LengthBin(tokens / n, out / n, n / calls, read / n, written / n)
                 for _, (n, tokens, out, read, written) in sorted(merged.items()) if tokens)


@dataclass(frozen=True)
class Prefix:
    """What of every prompt is read from a cache, as far as the log shows it."""

    tokens: float
    low: float
    high: float
    hit_rate: float
    how: str
    """What the figures rest on."""
    prompts: tuple[tuple[float, float], ...] = ()
    """(input tokens, share) of requests that hold it and of those that do not, where the mean prompt cannot tell them apart."""
    minimum: float | None = None
    """Tokens of the shortest prefix that was read, where the provider is said to cache none so short; else None."""

    def bins(self, output_tokens: float) -> list[dict[str, float]]:
        """Its prompts as the `lengths` of a scenario, all with the mean output."""
        return [{"input_tokens": round(given, 2), "output_tokens": round(output_tokens, 2), "share": share}
                for given, share in self.prompts]


def lengths_of(
    bins: Sequence[LengthBin], prefix: Prefix | None, found_more: float = 1.0, *, writes: bool,
) -> list[dict[str, float]]:
    """The bins as the lengths of a scenario, with `found_more` times what they find in a cache and, of `writes`, write to it.

    Without that where no prefix is found, or where a prompt would hold more than it is long: one prefix for all then stands.
    """
    found = [{"input_tokens": round(each.input_tokens, 2), "output_tokens": round(each.output_tokens, 2), "share": each.share}
             for each in bins]
    read = [round(each.cached_tokens * found_more, 2) for each in bins]
    written = [round(each.cache_write_tokens * found_more, 2) if writes else 0.0 for each in bins]
    over = max((a + b - cell["input_tokens"] for a, b, cell in zip(read, written, found, strict=True)), default=0.0)
    if prefix is None or over > 0.02 or (any(read) and not round(prefix.hit_rate, 6)):
        return found
    for cell, of_read, of_write in zip(found, read, written, strict=True):
        cell["cached_tokens"] = min(of_read, cell["input_tokens"])
        if writes:
            cell["cache_write_tokens"] = max(min(of_write, round(cell["input_tokens"] - of_read, 2)), 0.0)
    return found


def prefix_of_calls(
    cells: Sequence[LengthCell], reads: Sequence[ReadCell], written: int = 0, documented: float = 0.0,
) -> Prefix | None:
    """Shared prefix and hit rate of calls; None where none read from a cache, nor wrote to one.

    hit rate = calls that read any / calls; prefix = mean of what those read (so that their product, what is billed, is
    exact), from the 10th to the 90th percentile of it. Reads that differ widely are history, not instructions. Where tokens
    `written` are counted too, prefix = (read + written) / calls and hit rate = read / (read + written), as of buckets: a
    conversation writes its last turn whether or not it reads the ones before, which calls that read none do not tell.

    `documented`: the shortest prefix that the provider is said to cache, tokens. Where more than SHORTEST_READS of the calls
    that read any read less, that is not so: what the shortest of them read takes its place (`minimum`).
    """
    calls, hits = sum(cell.calls for cell in cells), sum(cell.calls for cell in reads)
    if not calls or not hits + written:
        return None
    if not hits:  # all is written, and nothing of it ever read
        return Prefix(tokens=written / calls, low=written / calls, high=written / calls, hit_rate=0.0, how=NEVER_READ)
    bins = [(cell.calls, cell.cache_read) for cell in sorted(reads, key=lambda cell: cell.read_bin)]
    least, low, high = (_mean_at(bins, share * hits) for share in (SHORTEST_READS, 0.1, 0.9))
    read = sum(cell.cache_read for cell in reads)
    mean, rate, how = read / hits, hits / calls, f"mean cached tokens of the {hits:,} calls that read any"
    if written:
        mean, rate, how = (read + written) / calls, read / (read + written), "tokens read and written, over calls"
    how += "; reads differ widely, so part is history and no fixed prefix" if high > 2.0 * low else ""
    minimum = None
    if least < documented:
        minimum = float(int(least))
        how += f"; some read {minimum:,.0f} alone, so that the shortest prefix cached is not {documented:,.0f}"
    return Prefix(tokens=mean, low=min(low, mean), high=max(high, mean), hit_rate=rate, how=how, minimum=minimum)


def within_prompts(prefix: Prefix, bins: Sequence[LengthBin], minimum: float = 0.0) -> Prefix:
    """The prefix that is read as much of where a prompt holds no more than it is long, and none is cached below `minimum`.

    What grows with a conversation is no fixed prefix: cut to the short prompts, its mean would lose what the long ones read.
    And a mean below the shortest prefix that the provider caches would lose all: that one stands in, found less often. Where no
    prompt is as long as that, the log contradicts the rule, which then does not hold.
    """
    share, read = sum(each.share for each in bins), prefix.tokens * prefix.hit_rate
    if not share:
        return prefix
    longest = max(each.input_tokens for each in bins)
    least = minimum if minimum <= longest else 0.0

    def found_in(tokens: float) -> float:
        return sum(each.share * min(tokens, each.input_tokens) for each in bins if each.input_tokens >= least) / share

    low, tokens, raised = max(prefix.tokens, least), longest, prefix.tokens < least
    rate = 1.0 if raised else prefix.hit_rate
    if found_in(low) * rate >= read * (1.0 - 1e-6):
        if not raised:
            return prefix if prefix.low >= least else replace(prefix, low=least)
        tokens = low
    elif found_in(longest) * rate > read:
        while tokens - low > 0.01:  # what is found grows with the prefix
            middle = (low + tokens) / 2.0
            low, tokens = (low, middle) if found_in(middle) * rate >= read else (middle, tokens)
    why = (f"below the {least:,.0f} that the provider caches, so a longer one stands in" if raised else
           "longer than that, since some prompts are shorter")
    return replace(prefix, tokens=tokens, low=tokens, high=tokens, hit_rate=min(read / found_in(tokens), 1.0),
                   how=f"{prefix.how}; {why}: as much is read")


def prefix_of_buckets(
    requests: float | None, cache_read: int, cache_write: int, minimum: float = 0.0, prompt: float = float("inf"),
) -> Prefix | None:
    """Shared prefix and hit rate from sums; None where nothing is read or written, or requests are not counted.

    With writes: prefix = (read + written) / requests, hit rate = read / (read + written). Without: only the product of the
    two is known, so the prefix is what is read on average, with a hit rate of 1. `minimum`: the shortest prefix that the
    provider caches, tokens. `prompt`: the mean prompt.

    A mean below the minimum says that not every request holds a prefix. Where the mean prompt is below it too, or writes are
    counted, requests with a prefix of that length stand beside others, which are shorter (`prompts`): tokens read and written
    are as recorded. Else the prefix is of the minimum's length and found less often: what is read is as recorded.
    """
    if not requests or not cache_read + cache_write:
        return None
    read, mean = cache_read / requests, (cache_read + cache_write) / requests
    how = "tokens read and written, over requests" if cache_write else BUCKETS_TELL
    if mean >= minimum:
        return Prefix(tokens=mean, low=mean, high=mean, hit_rate=read / mean, how=how)
    prompts = _prompts_with(mean, minimum, prompt) if cache_write or prompt < minimum else ()
    if not prompts:
        return Prefix(tokens=minimum, low=minimum, high=minimum, hit_rate=read / minimum, how=how)
    how = (f"of the {prompts[0][1]:.0%} of requests that hold one: tokens {'read and written' if cache_write else 'read'}, over"
           f" requests, are {mean:,.0f}, below the {minimum:,.0f} that the provider caches")
    return Prefix(tokens=minimum, low=minimum, high=minimum, hit_rate=read / mean, how=how, prompts=prompts)


def _prompts_with(cached: float, minimum: float, prompt: float) -> tuple[tuple[float, float], ...]:
    """(input tokens, share) of requests with a prefix as long as the minimum, and of shorter ones; empty if too far apart.

    Their means are `cached` tokens of the prefix and `prompt` in all.
    """
    share = cached / minimum
    short = max(min((prompt - cached) / (1.0 - share), minimum - 1.0), 1.0)
    long = max((prompt - (1.0 - share) * short) / share, minimum)
    return ((long, share), (short, 1.0 - share)) if long <= max(FARTHEST * prompt, minimum) else ()
