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
BUCKETS_TELL: Final = (
    "buckets tell prefix times hit rate alone; the shortest prefix that the provider caches stands in, or the mean read")


@dataclass(frozen=True)
class LengthBin:
    """Requests of about one length."""

    input_tokens: float
    output_tokens: float
    share: float


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
        bins=_coarsened(cells, calls))


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
    """At most MOST_BINS cells: wider and wider log-bins until few enough hold requests. Cells without input join the next."""
    merged: dict[tuple[int, int], list[int]] = {}
    for step in WIDTHS:
        merged = {}
        for cell in cells:
            key = (int(max(cell.input_bin, 0) // step), int((cell.output_bin + 1) // step))
            held = merged.setdefault(key, [0, 0, 0])
            for k, more in enumerate((cell.calls, cell.input_tokens, cell.output_tokens)):
                held[k] += more
        if len(merged) <= MOST_BINS:
            break
    return tuple(LengthBin(tokens / n, out / n, n / calls) for _, (n, tokens, out) in sorted(merged.items()) if tokens)


@dataclass(frozen=True)
class Prefix:
    """What of every prompt is read from a cache, as far as the log shows it."""

    tokens: float
    low: float
    high: float
    hit_rate: float
    how: str
    """What the figures rest on."""


def prefix_of_calls(cells: Sequence[LengthCell], reads: Sequence[ReadCell]) -> Prefix | None:
    """Shared prefix and hit rate of calls; None where none read from a cache.

    hit rate = calls that read any / calls; prefix = mean of what those read (so that their product, what is billed, is
    exact), from the 10th to the 90th percentile of it. Reads that differ widely are history, not instructions.
    """
    calls, hits = sum(cell.calls for cell in cells), sum(cell.calls for cell in reads)
    if not calls or not hits:
        return None
    bins = [(cell.calls, cell.cache_read) for cell in sorted(reads, key=lambda cell: cell.read_bin)]
    low, high = (_mean_at(bins, share * hits) for share in (0.1, 0.9))
    mean = sum(cell.cache_read for cell in reads) / hits
    how = f"mean cached tokens of the {hits:,} calls that read any"
    how += "; they differ widely, so part is history and no fixed prefix" if high > 2.0 * low else ""
    return Prefix(tokens=mean, low=min(low, mean), high=max(high, mean), hit_rate=hits / calls, how=how)


def within_prompts(prefix: Prefix, bins: Sequence[LengthBin]) -> Prefix:
    """The prefix that is read as much of where no prompt holds more than it is long; found more often where that is too little.

    What grows with a conversation is no fixed prefix: cut to the short prompts, its mean would lose what the long ones read.
    """
    share, read = sum(each.share for each in bins), prefix.tokens * prefix.hit_rate
    if not share:
        return prefix

    def found_in(tokens: float) -> float:
        return sum(each.share * min(tokens, each.input_tokens) for each in bins) / share

    longest = max(each.input_tokens for each in bins)
    low, tokens = prefix.tokens, longest
    if found_in(low) * prefix.hit_rate >= read * (1.0 - 1e-6):
        return prefix
    if found_in(longest) * prefix.hit_rate > read:
        while tokens - low > 0.01:  # what is found grows with the prefix
            middle = (low + tokens) / 2.0
            low, tokens = (low, middle) if found_in(middle) * prefix.hit_rate >= read else (middle, tokens)
    return replace(prefix, tokens=tokens, low=tokens, high=tokens, hit_rate=min(read / found_in(tokens), 1.0),
                   how=f"{prefix.how}; longer than that, since some prompts are shorter: as much is read")


def prefix_of_buckets(
    requests: float | None, cache_read: int, cache_write: int, minimum: float = 0.0, longest: float = float("inf"),
) -> Prefix | None:
    """Shared prefix and hit rate from sums; None where nothing is cached or requests are not counted.

    With writes: prefix = (read + written) / requests, hit rate = read / (read + written). Without: only the product of the
    two is known, so the prefix is what is read on average, with a hit rate of 1. `minimum`: the shortest prefix that the
    provider caches, tokens; a mean below it is a longer prefix that is found less often. `longest`: the mean
    prompt, which holds it.
    """
    if not requests or not cache_read:
        return None
    mean = cache_read / requests
    prefix = min(max((cache_read + cache_write) / requests, minimum), max(longest, mean))
    how = "tokens read and written, over requests" if cache_write else BUCKETS_TELL
    return Prefix(tokens=prefix, low=prefix, high=prefix, hit_rate=mean / prefix, how=how)
