"""What a reader of a server's profile must know of how it came about."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from roi.estimate.replay.metrics import successes
from roi.facts.serve_profile import ServePoint

LATE: Final = 0.1
"""Delay of the client's loop over the shortest ITL above which its own timestamps are in doubt."""

TICK_S: Final = 0.01
"""How often the client looks whether it is late."""

RARE: Final = 0.05
"""Share of the time in which it may be later."""

TIMER_S: Final = 0.001
"""Timers of epoll wake up to a millisecond late; what is below that is no delay of the loop."""

CACHED: Final = 0.02
"""Prompt tokens from the prefix cache above which prefill looks faster than it is; a template's few are below."""

MERGED: Final = 1.05
"""Tokens a chunk above which ITL is of chunks, not of tokens."""


def answer_notes(points: Sequence[ServePoint]) -> list[str]:
    """Remarks on the answers of all points: from the cache, shorter than asked, several tokens a chunk."""
    good = [one for point in points for one in successes(point)]
    cached = [(f"{share:.0%} at {point.input_tokens:,} tokens") for point in points if (share := _cached_share(point)) > CACHED]
    notes = []
    if cached:
        notes.append(f"prompt tokens from the server's prefix cache: {', '.join(cached)}")
    short = sum(one.output_tokens < one.asked_tokens for one in good)
    if short:
        made, asked = sum(one.output_tokens for one in good), sum(one.asked_tokens for one in good)
        notes.append(f"{short:,} of {len(good):,} answers were shorter than asked; {made / asked:.0%} of the tokens came")
    chunks, tokens = sum(len(one.chunk_s) for one in good), sum(one.output_tokens for one in good)
    if tokens > MERGED * chunks:
        notes.append(f"a chunk carries {tokens / chunks:.3g} tokens; ITL is from chunk to chunk")
    return notes


def _cached_share(point: ServePoint) -> float:
    good = successes(point)
    prompts = sum(one.prompt_tokens for one in good)
    return sum(one.cached_tokens for one in good) / prompts if prompts else 0.0


def delay_note(delays_s: Sequence[float], shortest_itl_s: float | None) -> str | None:
    """A remark where the client itself was late by more than LATE of the shortest ITL; None where it was not.

    `delays_s`: how late its loop woke from each sleep of TICK_S. A wake that is late by a second stands for a second: delays
    weigh as long as they lasted, since a loop that stood still counts few of them.
    """
    if not delays_s or not shortest_itl_s:
        return None
    delays = np.sort(np.asarray(delays_s, dtype=float))
    lasted = np.cumsum(TICK_S + delays)
    late_s = max(float(delays[np.searchsorted(lasted, (1.0 - RARE) * lasted[-1])]) - TIMER_S, 0.0)
    if late_s <= LATE * shortest_itl_s:
        return None
    return (f"this client was late by {late_s * 1e3:,.3g} ms or more in {RARE:.0%} of the time "
            f"(at most {delays[-1] * 1e3:,.3g} ms) at an ITL of {shortest_itl_s * 1e3:.3g} ms; send from a machine with idle"
            " cores")
