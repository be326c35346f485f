"""What a client's timestamps say of the engine's steps: rows of time with the work that was done in it.

A client sees when tokens arrive, not when steps run. Two kinds of spans hold a known number of steps all the same:

    window        between two tokens of a request that decodes throughout: one step a token of that request
    lone prompt   from sending to the first token of a request that met an idle server: the step(s) of its prompt

For each span the row counts steps, decoding sequences, KV tokens read and prompt tokens; step_fit turns rows into seconds of
each. How many requests the server decodes at a time shows where others waited for one of its slots.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Final

import numpy as np

from roi.estimate.serving.routing import Routing
from roi.facts.serve_profile import ServedRequest, ServePoint
from roi.numerics.arrays import Array, Places

WINDOW_STEPS: Final = 16
"""Steps of a window: a millisecond of the client's clock is then under 1% of a window of 10 ms steps."""
LEAST_STEPS: Final = 4
"""A shorter window is mostly the clock's noise."""
TOKENS_PER_CHUNK: Final = 4.0
"""Above this the tokens of a request no longer say which steps it took part in."""
MOST_TOKENS: Final = 20_000_000
"""Output tokens of a point, each a number or two here: half an hour of a server at 10,000 a second."""
BLOCKS: Final = 2
"""Parts of a point in time. Noise that lasts (another program, a clock that falls) counts once a part, so parts must be long:
of 80 simulated profiles with noise 50 steps long, intervals from two parts held 1 to 2% more often than from four."""
WAITING: Final = 0.8
"""Share of the time with somebody waiting in which all slots but one, or all, must be taken: a server that is busy with
prompts leaves its slots empty while requests wait."""
FULL: Final = 0.5
"""Share of that time in which all slots must be taken."""

EVERY_ONE: Final = "every request waits for another's prefill or failed, so no window has a clean end"


@dataclass(frozen=True)
class StepRows:
    """Each row is seconds = a steps + b sequences + c kv + d prefill + request + experts touched; arrays of one length."""

    seconds: Array
    steps: Array
    """Engine steps in the row."""
    touched: Array
    """Sum over the steps of the share of experts that they read."""
    sequences: Array
    """Sum over the steps of decoding sequences: output tokens, first ones left out."""
    kv: Array
    """Sum over the steps of the KV cache that they read, tokens."""
    prefill: Array
    """Prompt tokens computed."""
    request: Array
    """1 for the first token of a lone request, 0 for a window."""
    point: Array
    """Number of the point."""
    block: Array
    """Number of the part of the point in time."""


@dataclass(frozen=True)
class _Stream:
    """A request that succeeded, with running sums after each chunk (and 0 before the first)."""

    sent_s: float
    at_s: Array
    """Arrival of every chunk."""
    ended_s: float
    prefill: float
    decoded: Array
    """Output tokens after each chunk, the first left out; one element more than `at_s`."""
    read: Array
    """KV tokens read for those output tokens, in sum."""
    exact: bool
    """True where a chunk is a token."""
    ends_only: bool
    """True where only the first and the last stamp were measured."""


def join_rows(parts: Sequence[StepRows]) -> StepRows:
    """The rows of several points as one table."""
    names = [f.name for f in fields(StepRows)]
    return StepRows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def in_chunks(rows: StepRows, step_tokens: float) -> StepRows:
    """The rows where a step computes at most `step_tokens` prompt tokens, so that a long lone prompt takes several."""
    steps = np.where(rows.request > 0.0, np.ceil(rows.prefill / step_tokens), rows.steps)
    return replace(rows, steps=steps, touched=rows.touched * steps / rows.steps)


def point_rows(
    point: ServePoint, number: int = 0, kv_of: Callable[[Array], Array] = np.asarray, expert_share: float = 0.0,
    *, ends_only: bool = False, prompts_alone: bool = False,
) -> tuple[StepRows | None, str]:
    """The rows of one point and "", or None and why there are none.

    A window's steps are its reference's tokens; its sequences all tokens that arrive in it, each of which read its own context;
    its prompt tokens those of the requests that get their first token in it. Windows are disjoint and end where no prompt is
    half computed, so a prompt that the engine spreads over several steps lies in one of them. Arrivals are counted to the
    middle between two tokens of the reference, since streams of one step arrive a little apart. The first token of a request
    that met an idle server took one step (`in_chunks`: several) and the request's own time; the point's first request is left
    out (it pays for warming up). With `ends_only` a request's two stamps are its first and its last token: those between are
    taken as even, and a window spans the whole of its reference. With `prompts_alone` prompts took steps of their own: one for
    all whose first tokens arrive between two tokens of the reference, besides that of the second.

    `kv_of` gives what a context of so many tokens reads (windows cap it; else every token once). Ignored: speculative decoding
    (its steps give several tokens).
    """
    good = [r for r in point.requests if _succeeded(r)]
    carried = sum(r.output_tokens for r in good) / max(sum(len(r.chunk_s) for r in good), 1)
    if carried > TOKENS_PER_CHUNK and not ends_only:
        return None, f"a streamed chunk carries {carried:.0f} tokens: steps cannot be counted"
    if sum(r.output_tokens for r in good) > MOST_TOKENS:
        return None, f"it counts more than {MOST_TOKENS:,} output tokens"
    streams = [_stream(r, kv_of, ends_only) for r in sorted(good, key=lambda r: r.chunk_s[0])]
    failed = [(r.sent_s, np.inf if r.ended_s is None else r.ended_s) for r in point.requests if not _succeeded(r)]
    found = [*_windows(streams, failed, expert_share, prompts_alone=prompts_alone), *_lone(streams, failed, expert_share)]
    if not found:
        return None, EVERY_ONE
    found.sort(key=lambda row: row[0])
    count = len(found)
    blocks = number * BLOCKS + np.arange(count) * BLOCKS // count
    table = [*np.array([row[1:] for row in found]).T, np.full(count, float(number)), blocks.astype(float)]
    return StepRows(*table), ""


def _succeeded(r: ServedRequest) -> bool:
    """True where the stream of the request has a first token and an end."""
    return r.error is None and bool(r.chunk_s) and r.ended_s is not None


def _stream(r: ServedRequest, kv_of: Callable[[Array], Array], ends_only: bool) -> _Stream:
    """The request with its running sums; tokens are spread evenly over its chunks where a chunk carries several."""
    at_s = np.asarray(r.chunk_s)
    if ends_only and at_s.size == 2:
        at_s = np.linspace(at_s[0], at_s[1], max(r.output_tokens, 2))
    chunks = at_s.size
    exact = abs(r.output_tokens - chunks) <= 1  # an end-of-text token has no chunk
    tokens = np.arange(1.0, chunks + 1.0) * (1.0 if exact else r.output_tokens / chunks)
    contexts = kv_of(r.prompt_tokens + np.arange(1.0, np.ceil(tokens[-1]) + 1.0))
    reads = np.concatenate([[0.0], np.cumsum(contexts)])
    decoded = np.concatenate([[0.0], np.maximum(tokens - 1.0, 0.0)])
    read = np.interp(decoded, np.arange(reads.size), reads)
    prefill = float(max(r.prompt_tokens - r.cached_tokens, 1))
    ended = r.chunk_s[-1] if r.ended_s is None else r.ended_s
    return _Stream(
        sent_s=r.sent_s, at_s=at_s, ended_s=ended, prefill=prefill, decoded=decoded, read=read, exact=exact,
        ends_only=ends_only,
    )


def _windows(
    streams: list[_Stream], failed: list[tuple[float, float]], expert_share: float, *, prompts_alone: bool,
) -> Iterator[tuple[float, ...]]:
    """Rows of the windows in order of time: (start, seconds, steps, touched, sequences, kv, prefill, 0)."""
    if not streams:
        return
    first = np.array([s.at_s[0] for s in streams])
    last = np.array([s.at_s[-1] for s in streams])
    sent = np.array([s.sent_s for s in streams])
    prompts = np.array([s.prefill for s in streams])
    gaps = np.concatenate([np.diff(s.at_s) for s in streams])
    before = _earlier_first(first, float(np.median(gaps)) / 2.0 if gaps.size else 0.0)
    most = _most_decoding(first, last)
    now = -np.inf
    while (reference := _next_reference(streams, first, last, now)) is not None:
        t = reference.at_s
        near = (sent < t[-1]) & (first > t[0])
        middle = np.append((t[:-1] + t[1:]) / 2.0, t[-1] + (t[-1] - t[-2]) / 2.0)
        previous = np.concatenate([t[:1], t[:-1]])
        decoding = np.searchsorted(first, middle, "right") - np.searchsorted(np.sort(last), middle, "right")
        half = (sent[near, None] < previous) & (before[near, None] <= middle) & (first[near, None] > middle)
        clean = ~(half.any(axis=0) & (decoding < most)) & (t >= now)
        if reference.ends_only:
            clean[1:-1] = False
        for i, j in _cuts(np.flatnonzero(clean)):
            if t[j] <= t[i] or any(start < t[j] and end > t[i] for start, end in failed):
                continue
            low, high = middle[i], middle[j]
            tokens, kv = _between([streams[k] for k in np.flatnonzero((first <= high) & (last > low))], low, high)
            steps = float(reference.decoded[j + 1] - reference.decoded[i + 1])
            if steps <= 0.0:  # more chunks than tokens were counted
                continue
            starts = (first > low) & (first <= high)
            prefill = float(prompts[starts].sum())
            with_prompt = float(np.unique(np.searchsorted(middle, first[starts])).size)
            touched = _touched(expert_share, steps, tokens, with_prompt, prefill, alone=prompts_alone)
            steps += with_prompt * prompts_alone
            yield float(t[i]), float(t[j] - t[i]), steps, touched, tokens, kv, prefill, 0.0
        now = float(t[-1]) if t[-1] > now else float(np.nextafter(now, np.inf))  # a late client stamps many tokens alike


def _lone(streams: list[_Stream], failed: list[tuple[float, float]], expert_share: float) -> Iterator[tuple[float, ...]]:
    """Rows of first tokens of requests that met an idle server: (sent, TTFT, 1, touched, 0, 0, prefill, 1)."""
    spans = sorted([*((s.sent_s, s.ended_s) for s in streams), *failed])
    starts, ends = np.array([s for s, _ in spans]), np.maximum.accumulate(np.array([e for _, e in spans]))
    for s in streams:
        earlier, met = np.searchsorted(starts, s.sent_s, "left"), np.searchsorted(starts, s.at_s[0], "left")
        if earlier and met == earlier + 1 and ends[earlier - 1] <= s.sent_s and s.exact:
            touched = _touched(expert_share, 1.0, 0.0, 1.0, s.prefill)
            yield s.sent_s, float(s.at_s[0]) - s.sent_s, 1.0, touched, 0.0, 0.0, s.prefill, 1.0


def _next_reference(streams: list[_Stream], first: Array, last: Array, now: float) -> _Stream | None:
    """The request that decodes at `now` with most tokens to come, else the next that begins; None at the end."""
    begun = int(np.searchsorted(first, now, "right"))
    left = [(int(np.count_nonzero(streams[i].at_s >= now)), -int(i)) for i in np.flatnonzero(last[:begun] >= now)]
    best, minus = max(left, default=(0, 0))
    if best > LEAST_STEPS:
        return streams[-minus]
    return next((s for s in streams[begun:] if s.at_s.size > LEAST_STEPS), None)


def _cuts(clean: Places) -> Iterator[tuple[int, int]]:
    """Disjoint pairs of clean tokens about WINDOW_STEPS apart; what is left at the end is a window of its own."""
    ends = [int(clean[0])] if clean.size else []
    for i in clean:
        if i - ends[-1] >= WINDOW_STEPS:
            ends.append(int(i))
    if clean.size and clean[-1] - ends[-1] >= LEAST_STEPS:
        ends.append(int(clean[-1]))
    yield from pairwise(ends)


def _between(streams: list[_Stream], low: float, high: float) -> tuple[float, float]:
    """Output tokens that arrive in (low, high], first ones left out, and the KV tokens read for them."""
    tokens = kv = 0.0
    for s in streams:
        i, j = np.searchsorted(s.at_s, (low, high), "right")
        tokens += s.decoded[j] - s.decoded[i]
        kv += s.read[j] - s.read[i]
    return float(tokens), float(kv)


def _earlier_first(first: Array, tie_s: float) -> Array:
    """The latest first token before each one that is not of the same step; -inf where none."""
    places = np.searchsorted(first, first - tie_s, "left")
    return np.where(places > 0, first[np.maximum(places - 1, 0)], -np.inf)


def _most_decoding(first: Array, last: Array) -> int:
    """Largest number of requests that decode at a time: with so many, the next one waits for a slot and is not computed."""
    order = np.sort(last)
    return int(np.max(np.searchsorted(first, first, "right") - np.searchsorted(order, first, "right")))


def _touched(
    expert_share: float, steps: float, tokens: float, with_prompt: float, prefill: float, *, alone: bool = False,
) -> float:
    """Sum over the steps of the share of experts that they read, at the mean number of sequences and of prompt tokens.

    Steps with prompts are `with_prompt` of `steps`, or where prompts are `alone` as many besides.
    """
    (rate, power), sequences, prompts = Routing.of(expert_share), tokens / steps, prefill / max(with_prompt, 1.0)
    missed, missed_with = ((1.0 + rate * n) ** -power for n in (sequences, prompts if alone else sequences + prompts))
    return float((steps if alone else steps - with_prompt) * (1.0 - missed) + with_prompt * (1.0 - missed_with))


def decoding_limit(points: Iterable[ServePoint]) -> tuple[int | None, str]:
    """How many requests the server decodes at a time at most, and "" or why it is not known although requests waited.

    The number is None where no load shows that requests waited for a slot. Points that hit a limit must agree within one:
    where they do not, it is the KV cache that is full, which holds more short requests than long ones.
    """
    found = [limit for point in points if (limit := _most_decoded(point)) is not None]
    if not found:
        return None, ""
    if max(found) - min(found) > 1:
        told = f"{min(found)} to {max(found)}"
        return None, f"requests wait while {told} others decode, by length: the KV cache binds; state its size (--kv-tokens)"
    return max(found), ""


def _most_decoded(point: ServePoint) -> int | None:
    """The most requests that decoded at a time in this point, where others waited for a slot; else None."""
    good = [r for r in point.requests if r.error is None and len(r.chunk_s) > 1]
    if len(good) < len(point.requests) or not good:
        return None
    sent, first, last = (np.sort(x) for x in zip(*((r.sent_s, r.chunk_s[0], r.chunk_s[-1]) for r in good), strict=True))
    times = np.unique(np.concatenate([sent, first, last]))

    def begun(events: Array) -> Places:
        return np.searchsorted(events, times[:-1], "right")

    decoding, waiting = begun(first) - begun(last), begun(sent) - begun(first)
    most = int(decoding.max(initial=0))
    seconds = np.diff(times) * ((waiting > 0) & (np.cumsum(decoding == most) > 0))
    total = float(seconds.sum())
    if total <= 0.0 or int(waiting[seconds > 0.0].max()) < 2:
        return None
    near = float(seconds[decoding >= most - 1].sum()) / total
    full = float(seconds[decoding == most].sum()) / total
    return most if near > WAITING and full > FULL else None
