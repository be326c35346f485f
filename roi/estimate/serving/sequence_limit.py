"""How many requests a server decodes together at most, where a load shows that others waited for one of its slots."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from roi.facts.serve_profile import ServePoint

WAITING: Final = 0.8
"""Share of the time with somebody waiting in which all slots but one, or all, must be taken: a server that is busy with
prompts leaves its slots empty while requests wait."""

FULL: Final = 0.5
"""The same of all slots."""


def sequence_limit(points: Iterable[ServePoint]) -> tuple[int | None, str]:
    """(requests that the server decodes together at most, "") or (None, why it is not known although requests waited).

    Points that hit a limit must agree within one: where they do not, it is the KV cache that is full, which holds more
    short requests than long ones.
    """
    found = [limit for point in points if (limit := _limit(point)) is not None]
    if not found:
        return None, ""
    if max(found) - min(found) > 1:
        told = f"{min(found)} to {max(found)}"
        return None, f"requests wait while {told} others decode, by length: the KV cache binds; state its size (--kv-tokens)"
    return max(found), ""


def _limit(point: ServePoint) -> int | None:
    """The most requests that decoded together in this point, where others waited for them; else None."""
    good = [r for r in point.requests if r.error is None and len(r.chunk_s) > 1]
    if len(good) < len(point.requests) or not good:
        return None
    sent, first, last = (np.sort(x) for x in zip(*((r.sent_s, r.chunk_s[0], r.chunk_s[-1]) for r in good), strict=True))
    times = np.unique(np.concatenate([sent, first, last]))

    def begun(events: np.ndarray) -> np.ndarray:
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
