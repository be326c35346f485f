"""Where the quantities of signposts stand now: thresholds that were kept with a decision, held against a later answer."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from math import isclose

import numpy as np

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.turning.signposts import BAR, OTHER_SIDE, RESALE, SAME, Signpost
from roi.economics.inputs import Option, Plan
from roi.economics.lines.api_request import at_list
from roi.economics.lines.option_lines import answered_wrong
from roi.economics.reading import read_option, read_shared
from roi.facts.case import Case
from roi.units import DAYS_PER_MONTH


@dataclass(frozen=True)
class Post:
    """A signpost that was kept, and where its quantity stands now."""

    signpost: Signpost
    stands: float | None
    """None where nothing tells it any more: the option is gone, or nobody offers the GPU."""
    decided: str
    """Id of the one of both options that was decided on: where both cost the same today, its side is the one on which it costs
    no more."""

    @property
    def side(self) -> str:
        """The side of the threshold that was decided on: the one on which the quantity was."""
        s = self.signpost
        assert s.threshold is not None
        if abs(s.today - s.threshold) > SAME * abs(s.threshold):
            return "above" if s.today > s.threshold else "below"
        return s.direction if s.option == self.decided or s.reason == BAR else OTHER_SIDE[s.direction]

    @property
    def undoes(self) -> bool:
        """True where passing the threshold speaks against what was decided: the side of today is the one that spoke for it.

        By means and chances an option may have been decided on that costs more at the central values. Beyond a threshold that
        it lies on the other side of, it is only better: nothing turns there.
        """
        s = self.signpost
        return self.side == (s.direction if s.option == self.decided else OTHER_SIDE[s.direction])

    @property
    def holds(self) -> bool:
        """True where the quantity is on that side, or at the threshold."""
        if self.stands is None:
            return False
        assert self.signpost.threshold is not None
        beyond = (self.stands - self.signpost.threshold) * (1.0 if self.side == "below" else -1.0)
        return beyond <= SAME * abs(self.signpost.threshold)


def held_against(kept: Iterable[Signpost], case: Case, now: Comparison, decided: str) -> tuple[Post, ...]:
    """The signposts with a threshold that were kept with `case`, each with what its quantity is in a later answer."""
    return tuple(Post(s, _stands(s, case, now.case), decided) for s in kept if s.threshold is not None)


def _stands(s: Signpost, kept: Case, now: Case) -> float | None:
    """The quantity of the signpost by the facts of `now`; a price list against that of `kept`."""
    if s.quantity == "requests_per_day":
        return now["workload.requests_per_day"].number()
    if s.option not in now.options or s.option not in kept.options:
        return None
    options, before = _options(now, s.option), _options(kept, s.option)[s.option]
    option = options[s.option]
    if s.quantity == "error_rate":
        return float(np.asarray(answered_wrong(option, options[option.escalates_to].error_rate)))
    if s.quantity == "run_hours_per_month":
        return float(np.max(option.run_hours))
    if s.quantity == "api_price_ratio":
        listed, shape = _listed_on(before, kept, now), read_shared(kept.values())
        old, new = (_list_price(each, shape.input_tokens, shape.output_tokens, shape.weights) for each in (listed, option))
        return new / old if old and new is not None else None
    gpu = s.reason.split(",")[0].split(" at ")[0].removeprefix(RESALE)
    return _card_price(gpu, s.today, before, option, bought=s.quantity == "usd_per_gpu")


def rent_then_and_now(kept: Comparison, now: Comparison) -> tuple[float, float] | None:
    """USD a GPU and hour of the card that the kept leading option rents: then, and what it rents that card for now.

    None where it rented none, or now has no plan on that card.
    """
    id, fleet = kept.leader.id, kept.leader.fleet
    if fleet is None or fleet.usd_per_gpu_hour <= 0.0 or id not in now.case.options:
        return None
    before, option = _options(kept.case, id)[id], _options(now.case, id)[id]
    rent = _card_price(fleet.gpu, fleet.usd_per_gpu_hour, before, option, bought=False)
    return None if rent is None else (fleet.usd_per_gpu_hour, rent)


def _card_price(gpu: str, then: float, before: Option, now: Option, *, bought: bool) -> float | None:
    """The least price of the card on the terms that the option had it on at the price of `then`, or freer ones; else on any."""

    def price(plan: Plan) -> float:
        return float(plan.usd_per_gpu if bought else plan.usd_per_gpu_hour)

    of_card = [plan for plan in now.plans if plan.gpu == gpu]
    had = [plan for plan in before.plans if plan.gpu == gpu and isclose(price(plan), then)]
    alike = [plan for plan in of_card if any(
        plan.gpus_per_replica == old.gpus_per_replica and plan.gpus_per_instance <= old.gpus_per_instance
        and plan.minimum_months <= old.minimum_months for old in had)]
    return min(map(price, alike or of_card), default=None)


def _options(case: Case, id: str) -> dict[str, Option]:
    values = case.values()
    shared = read_shared(values)
    return {each: read_option(values, each, shared) for each in dict.fromkeys(["stay", id])}


def _listed_on(option: Option, kept: Case, now: Case) -> Option:
    """The kept option at the list that its vendor had announced for the day of the later answer: its threshold counts that."""
    days = [date.fromisoformat(str(case["as_of"].value)) for case in (kept, now)]
    passed = (days[1] - days[0]).days / DAYS_PER_MONTH
    if option.api is None:
        return option
    lists = [later for later in option.api.announced if float(np.asarray(later.from_months)) <= passed]
    return replace(option, api=at_list(option.api, lists[-1])) if lists else option


def _list_price(option: Option, given: np.ndarray, answered: np.ndarray, weights: np.ndarray) -> float | None:
    """USD of a mean request at the option's prices of the first tier, neither cached nor through batch."""
    if option.api is None:
        return None
    prices = (float(np.ravel(np.asarray(row))[0]) for row in (option.api.input, option.api.output))
    tokens = (float((weights * each).sum() / weights.sum()) for each in (given, answered))
    return sum(price * each for price, each in zip(prices, tokens, strict=True)) * (1.0 - float(np.max(option.api.discount)))
