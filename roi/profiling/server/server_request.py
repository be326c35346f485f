"""What is asked of a profile of a server."""

from collections.abc import Callable
from dataclasses import dataclass, field

from roi.profiling.server.load_design import ServePlan
from roi.profiling.server.wire import Place
from roi.store.imports.points import Stated


@dataclass(frozen=True)
class ServeRequest:
    """What is asked of a profile."""

    place: Place
    key: str | None
    """Sent to `place`, written nowhere."""
    served_model: str | None
    plan: ServePlan
    seed: int
    budget_s: float
    timeout_s: float
    stall_s: float
    adapters: tuple[str, ...] = ()
    """Names; a point takes the first so many."""
    merged: bool = False
    """The served weights have an adapter merged into them."""
    stated: Stated = field(default_factory=Stated)
    """Where it says nothing, the server does."""
    count: Callable[[str], int] | None = None
    """Counts the tokens of a text; None = the server does."""
