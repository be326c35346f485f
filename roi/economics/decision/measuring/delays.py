"""What waiting for a result costs each option beyond an even share of what it saves, at the central values."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from roi.economics.decision.evaluation import Evaluated, evaluate
from roi.economics.decision.starts import last_start
from roi.economics.inputs import Array, Option, Shared


def uneven_losses(
    shared: Shared, options: Mapping[str, Option], central: Mapping[str, Evaluated], upfront: Mapping[str, float], counts: str
) -> dict[str, Array]:
    """What going live 0, 1, 2 ... months later costs each option beyond an even share, USD, each of shape (horizon + 1,).

    The even share of m months is m / horizon of its NPV without set-up, `upfront`: that of an option which saves alike in all
    months. Where volumes grow the first months are worth less than that, and while a commitment is owed an early start saves
    nothing of it, so that waiting may save. Between the last month in which it would serve alone and the horizon it is a line.
    """
    stay, every, found = float(np.asarray(central["stay"].counted(counts)).item()), np.arange(shared.horizon + 1.0), {}
    for id, done in central.items():
        if id != "stay":
            option, now = done.option, float(np.asarray(done.counted(counts)).item())
            months = np.arange(last_start(shared, option) + 1.0)
            later = evaluate(shared, replace(option, months_to_live=option.months_to_live + months[:, None]), options)
            costs, whole = np.reshape(later.counted(counts), -1), stay - now + upfront[id]
            lost = np.interp(every, [*months, shared.horizon], [*(costs - now), whole])
            found[id] = lost - whole * every / shared.horizon
    return found
