"""Did it come true? The months after a decision against what the comparison said of them.

FILE --compare_file--> Comparison --forecast--> each month with its 90% band
exports, invoices, a cluster, a folder --> months as they came --track--> the facts that make them so
                                       --effects--> which fact was off, and by how much
                                       --course--> when it pays back now, and whether to decide anew
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date as Date
from datetime import timedelta
from math import comb, inf, isfinite
from pathlib import Path
from typing import Final, Unpack

import numpy as np
from numpy.typing import NDArray

from roi.answers.compare import CompareOptions, compare_file
from roi.answers.held_signposts import Post
from roi.answers.track_gathered import TrackQuestion, came_of, tracked_months
from roi.answers.track_judged import judge, wrong_share
from roi.answers.track_months import after, days_in, month_of
from roi.answers.track_record import Decision, TrackedMonth, keep_months, read_months
from roi.economics.decision.comparison import Comparison
from roi.economics.decision.draws import LEAST_DRAWS
from roi.economics.decision.weighing import settle
from roi.economics.inputs import Array
from roi.economics.option_kinds import exactly_named
from roi.economics.tracking.month_figures import in_calendar
from roi.economics.tracking.predictive_bands import CASH, PRICES, QUANTITIES, Forecast, Held, count_held, forecast
from roi.economics.tracking.seen_facts import Effect, Tracked, effects, overlap, track
from roi.economics.tracking.way_ahead import Ahead, Course, course
from roi.errors import InputError, UnknownName

LIMITS: Final[Mapping[str, tuple[str, float, float]]] = {
    "cash_usd_per_month": ("cash of the last month, USD, at most", 0.0, inf),
    "cash_over": ("cash so far over the forecast's, as a share above it, at most", -1.0, inf),
    "payback_months": ("months until the cash is earned back, as it looks now, at most", 0.0, inf),
    "price_factor": ("what the last month paid over the forecast's prices for the same tokens, at most", 0.0, inf),
    "held_share": ("share of the figures that lie in their 90% bands, at least", 0.0, 1.0),
    "wrong_share": ("share of wrong answers that an evaluation found, at most", 0.0, 1.0),
    "anew_usd": ("what deciding anew would save from today, USD, at most", -inf, inf),
}
"""What `--limit` may hold: what it means, and between what it lies, since another says nothing."""
LEAST: Final = frozenset({"held_share"})
"""Limits that must be reached; the others must not be passed."""


@dataclass(frozen=True)
class Limit:
    """One limit, and what it was held against."""

    name: str
    limit: float
    came: float | None
    """Figure that came; None where nothing tells it."""

    @property
    def holds(self) -> bool:
        """True where it does; what nothing tells holds no limit."""
        if self.came is None:
            return False
        return self.came >= self.limit if self.name in LEAST else self.came <= self.limit


@dataclass(frozen=True, kw_only=True)
class TrackAnswer:
    """The months after a decision, and what they make of it."""

    comparison: Comparison
    option: str
    months: tuple[TrackedMonth, ...]
    forecast: Forecast
    tracked: Tracked
    overlap: Array
    """Share of each month in which both models are taken to be called, so that each request counts twice."""
    volume_factor: float
    """The forecast's requests over the stated ones: the part of the bill's gap that is taken as volume."""
    effects: tuple[Effect, ...]
    """What each fact did to the tracked months, the largest first."""
    method: str
    """How the gap was shared out among them: shapley or ordered."""
    course: Course
    setup_usd: float | None
    """What month 0 cost, as it was told; None where it is taken as forecast."""
    came: Mapping[str, Array]
    """What came, by quantity, one number a month."""
    judged: NDArray[np.bool_]
    """True where something came, shape (quantities, months)."""
    inside: NDArray[np.bool_]
    """True where what came lies in its band, shape (quantities, months)."""
    held: Held
    """How many figures lie in their bands."""
    held_by_quantity: Mapping[str, Held]
    wrong: tuple[float, float, float] | None
    """Share of wrong answers that an evaluation found, with its 90% interval."""
    limits: tuple[Limit, ...] = ()
    written: tuple[str, ...] = ()
    """Files that were added to the folder."""
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def start(self) -> Date:
        """The first day of month 1."""
        return self.months[0].first_day

    @property
    def binomial(self) -> float:
        """Chance that no more figures lie in their bands, were each of them by itself."""
        total = self.held.judged
        return float(sum(comb(total, k) * 0.9**k * 0.1 ** (total - k) for k in range(self.held.held + 1)))

    @property
    def passed(self) -> tuple[Post, ...]:
        """The signposts of the option with a threshold that lies behind us, and beyond which it costs more."""
        now = {
            "requests_per_day": self.course.requests_per_day,
            "api_price_ratio": self.course.price_factor if self.tracked.came[-1].calls is not None else None,
            "error_rate": None if self.wrong is None else self.wrong[0],
        }
        ours = (s for s in self.comparison.signposts if s.option == self.option and s.threshold)
        posts = (Post(s, now.get(s.quantity), self.option) for s in ours)
        return tuple(post for post in posts if post.stands is not None and post.undoes and not post.holds)

    def cash(self) -> tuple[float, float]:
        """Cash of these months as it came, and as it was forecast, USD."""
        return float(self.tracked.months.cash_usd.sum()), float(self.forecast.bands[CASH].central.sum())

    def day_of(self, months: float) -> Date | None:
        """The day so many months after the first day of month 1; None for never."""
        if not isfinite(months):
            return None
        month = after(month_of(self.start), int(months))
        return Date.fromisoformat(f"{month}-01") + timedelta(days=int((months % 1.0) * days_in(month)))


def track_file(file: Path | None, question: TrackQuestion, **asked: Unpack[CompareOptions]) -> TrackAnswer:
    """The months of the question against the comparison of the scenario, or the saved comparison, in `file`.

    InputError for too few draws, for months that are missing, twice, before the decision or beyond its horizon, for months of
    another decision in the folder, and for months that the folder holds with other figures.
    """
    decided = compare_file(file, **asked)
    comparison, case = decided.comparison, decided.comparison.case
    if case["draws"].number() < LEAST_DRAWS:
        raise InputError(f"draws: {case['draws'].number():,.0f} make no band; at least {LEAST_DRAWS}, better 4096 (--draws)")
    kept = {} if question.folder is None else {name: month for name, (_, month) in read_months(question.folder).items()}
    was = next((month.decision for month in kept.values()), None)
    id = _option(comparison, was.option if question.option is None and was is not None else question.option)
    shared, options, choices = settle(case)
    decision = Decision(
        title=str(case["title"].value)[:300], as_of=str(case["as_of"].value), option=id,
        first_month=question.since or (_first_month(case["as_of"].value) if was is None else was.first_month),
    )
    notes: list[str] = [decided.note] if decided.note else []
    months = tracked_months(question, decision, kept, shared, options, notes)
    days = np.array([float(days_in(after(decision.first_month, k))) for k in range(shared.horizon)])
    shared, options = in_calendar(shared, options, days)
    expected = forecast(case, choices, id, days, len(months))
    came = came_of(months, shared, options, id, days[: len(months)], notes)
    tracked = track(shared, options, id, came)
    wrong = None if question.quality is None else wrong_share(question.quality, options[id], notes)
    seen, judged, inside = judge(expected, tracked, wrong)
    v = comparison.verdict
    found = course(case, choices, id, tracked, days, v.candidates, v.counts, question.setup_usd)
    held, by_quantity = count_held(inside, judged, expected)
    found_effects, method = effects(shared, options, id, tracked)
    months = tuple(month.model_copy(update={"forecast": {
        name: (float(b.low[k]), float(b.central[k]), float(b.high[k])) for name, b in expected.bands.items()}})
        for k, month in enumerate(months))
    answer = TrackAnswer(
        comparison=comparison, option=id, months=months, forecast=expected, tracked=tracked,
        overlap=overlap(shared, options, id, came, tracked.seen), volume_factor=float(np.max(shared.volume_factor)),
        effects=found_effects, method=method, course=found, setup_usd=question.setup_usd, came=seen, judged=judged,
        inside=inside, wrong=wrong, held=held, held_by_quantity=by_quantity, notes=tuple(notes), warnings=decided.warnings,
    )
    limits = tuple(Limit(name, limit, _against(answer, name)) for name, limit in (question.limits or {}).items())
    written = () if question.folder is None else tuple(keep_months(question.folder, months, revise=question.revise))
    return replace(answer, limits=limits, written=written)


def _option(comparison: Comparison, named: str | None) -> str:
    """The option that was chosen, by its id, label, provider/model or model; InputError where that is none, or several."""
    known = {o.id: o.label for o in comparison.options}
    if named is None:
        return comparison.verdict.leader
    fitting = exactly_named(known, named)
    if len(fitting) > 1:
        raise InputError(f"--option: {named[:80]!r} could be {', '.join(fitting[:5])}")
    if not fitting:
        raise UnknownName("--option", named, [*known, *known.values()], "option", known.values())
    return fitting[0]


def _first_month(as_of: object) -> str:
    """Month 1 where nobody says it: the first that is whole after the day of the comparison."""
    day = Date.fromisoformat(str(as_of))
    return month_of(day) if day.day == 1 else after(month_of(day))


def _against(answer: TrackAnswer, name: str) -> float | None:
    """The figure that a limit is held against; None where nothing tells it."""
    came, planned = answer.cash()
    told = answer.judged[QUANTITIES.index(CASH)]
    anew: Ahead | None = answer.course.anew
    known: dict[str, float | None] = {
        "cash_usd_per_month": float(answer.tracked.months.cash_usd[-1]) if told[-1] else None,
        "cash_over": came / planned - 1.0 if told.all() and planned > 0 else None,
        "payback_months": answer.course.payback[0],
        "price_factor": float(answer.came[PRICES][-1]) if answer.judged[QUANTITIES.index(PRICES), -1] else None,
        "held_share": answer.held.held / answer.held.judged if answer.held.judged else None,
        "wrong_share": None if answer.wrong is None else answer.wrong[0],
        "anew_usd": 0.0 if anew is None else anew.gain_usd,
    }
    return known[name]
