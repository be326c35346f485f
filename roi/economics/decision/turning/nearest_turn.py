"""The nearest place at which what holds at the start holds no more: a search along a positive number, asked at few places."""

import math
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

CLOSE: Final = 1e-3
"""Share of a place to which a turn is found: three digits."""
TRIES: Final = 10
"""Places that are tried for it at most."""
BESIDE_A_JUMP: Final = 5e-3
"""Share of a place to which it is then found at least, beside a jump."""


class Seen(NamedTuple):
    """What was found at a place."""

    holds: bool
    ahead: float
    """How far it is from turning: above 0 where it holds, below where it does not, infinite where that is not known."""


Ask = Callable[[float, bool], Seen]
"""What is found at a place; True where it will do to be sure that it holds, as one that does is not asked for its `ahead`."""
Expected = Callable[[float, float], float | None]
"""A place between two at which it may hold no more; None where at none."""


def nearest_turn(
    ask: Ask, places: Iterable[float], expected: Expected = lambda near, far: None, probes: int = 0
) -> tuple[float, float] | None:
    """The place nearest to 1 from which on it holds no more, to CLOSE, and the one that was asked beyond; None where at none.

    All `places`, above 1 or below it, are asked in turn, and up to `probes` between one and the next at which `expected`, given
    both, says that it may hold no more, until it names none.
    """
    near, seen = 1.0, {1.0: ask(1.0, True)}
    for place in sorted(places, key=_distance):
        seen[place] = ask(place, True)
        far = None if seen[place].holds else place
        while probes and (between := expected(near, far or place)):
            probes, seen[between] = probes - 1, ask(between, False)
            far = far if seen[between].holds else between
        if far is not None:
            last = max((x for x in seen if _distance(x) < _distance(far)), key=_distance)
            return narrowed(ask, (last, far), (seen[last].ahead, seen[far].ahead)), far
        near = place
    return None


def narrowed(ask: Ask, ends: tuple[float, float], ahead: tuple[float, float]) -> float:
    """The place between two, at the nearer of which it holds, from which on it does not.

    By the line through how far both are `ahead`, a little on the side that is further away; by halves in the logarithm where
    that does not tell, and after a step that left more than half of what the end had said that it replaced, as beside a jump.
    """
    (near, far), gaps, slow = ends, [*ahead], False
    for _ in range(TRIES):
        if abs(far - near) <= CLOSE * near:
            break
        middle = math.sqrt(near * far)
        if not slow and math.isfinite(gaps[0] - gaps[1]) and gaps[0] > 0.0 > gaps[1]:
            zero = near + (far - near) * gaps[0] / (gaps[0] - gaps[1])
            zero += math.copysign(CLOSE * zero / 3.0, far - zero - (zero - near))
            middle = min(max(zero, min(near, far)), max(near, far))
        holds, gap = ask(middle, False)
        near, far = (middle, far) if holds else (near, middle)
        slow, gaps[not holds] = abs(gap) > abs(gaps[not holds]) / 2.0, gap
    return far


def _distance(place: float) -> float:
    return abs(math.log(place))
