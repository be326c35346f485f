"""Which options may win: the questions that rule training out, and the quality bar. An unknown gate does not block."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from roi.economics.inputs import Number, Option, Shared
from roi.economics.lines.api_request import long_share
from roi.economics.lines.option_lines import answered_wrong
from roi.facts.case import Values

PASS, FAIL, UNKNOWN = "pass", "fail", "unknown"
FAILED = "gate failed: "
"""How the reason of what a gate rules out begins."""
ADAPTER_SLOTS: Final = "serving.adapter_slots"
"""The field that rules an option out where a stated number of slots for adapters leaves a plan no room."""
HARDLY_LOADED: Final = ", would under hardly any load at "
"""Before the latencies from which on the nearest plan would hold an SLO that rules an option out."""
NAMED_LAST: Final = re.compile(r"\(([a-z]\w*(?:\.\w+)+)\)$")

QUESTIONS = {
    "one_task_type": "one task type, not a general assistant",
    "learnable_from_examples": "learnable from examples: one right answer each",
    "evaluation_set": "an evaluation set with known answers exists",
    "facts_are_stable": "the facts it needs do not change week by week",
    "prompt_engineering_tried": "prompt engineering was tried first",
    "vendor_allows_training_on_outputs": "legal: the vendor's outputs may train another model",
}

BAR_TOLERANCE = 1e-12
UNDONE_WITHIN = 1.0
"""Months; a term no longer than this binds nobody who changes a configuration."""


def binding_field(reason: str) -> str | None:
    """Path of the scenario's field that binds, which an option's reason to be out ends with in brackets; None without one."""
    found = NAMED_LAST.search(reason)
    return None if found is None else found[1]


@dataclass(frozen=True)
class Gate:
    """One question about the task, and its answer."""

    name: str
    question: str
    status: str
    """pass, fail or unknown."""
    blocks: bool
    """True where the answer rules options that train out."""


def read_gates(values: Values) -> tuple[Gate, ...]:
    """The gates of a Case. The legal one blocks only where the labels are the vendor's outputs."""
    status = {"yes": PASS, "no": FAIL}
    from_vendor = values.get("training.labels_from") == "incumbent"
    gates = []
    for name, question in QUESTIONS.items():
        answer = status.get(str(values.get(f"gates.{name}", "unknown")), UNKNOWN)
        matters = name != "vendor_allows_training_on_outputs" or from_vendor
        gates.append(Gate(name, question, answer, answer == FAIL and matters))
    return tuple(gates)


def rule_out(shared: Shared, options: Mapping[str, Option], gates: tuple[Gate, ...]) -> dict[str, Option]:
    """The options, each infeasible where a gate, the quality bar or the horizon rules it out."""
    failed = next((gate.question for gate in gates if gate.blocks), None)

    def ruled(option: Option) -> Option:
        if option.infeasible is not None:
            return option
        live = float(np.min(option.months_to_live))
        if option.kind != "stay" and live >= shared.horizon:
            ended = f"live after {live:g} month{'' if live == 1.0 else 's'}, when the horizon of {shared.horizon} is over"
            ended += "; 0 under timing.months_to_live where a job that is done once waits for it" * (shared.horizon == 1)
            return replace(option, infeasible=ended)
        if not shared.may_stay and option.kind != "stay" and option.asks_today:
            return replace(option, infeasible="it goes on asking today's model, which may not stay (incumbent.may_stay)")
        if option.trains and failed is not None:
            return replace(option, infeasible=FAILED + failed)
        if not option.evaluated or meets_bar(shared, as_measured(option), options).all():
            return option
        score = score_of(option, options)
        return replace(option, below_bar=True, infeasible=f"quality {score:.3f} is below the bar of {shared.quality_bar:.3f}")

    return {id: ruled(option) for id, option in options.items()}


def as_measured(option: Option) -> Option:
    """The option at the shares of wrong answers that were counted, where its rates are the means of what the counts leave."""
    if option.measured_kept is not None:
        option = replace(option, kept_error=option.measured_kept)
    if option.measured_escalated is not None:
        option = replace(option, escalated_error=option.measured_escalated)
    if option.measured_error is None:
        return option
    if option.end_to_end_error is None:
        return replace(option, error_rate=option.measured_error)
    return replace(option, end_to_end_error=option.measured_error)


def score_of(option: Option, options: Mapping[str, Option]) -> float:
    """Share of its answers that is right, as it was measured, at the central values."""
    return 1.0 - float(np.asarray(answered_wrong(as_measured(option), options[option.escalates_to].error_rate)))


def meets_bar(
    shared: Shared, option: Option, options: Mapping[str, Option], spill: Number | None = None
) -> NDArray[np.bool_]:
    """Where the score reaches the bar, shape (n,). What keeps the incumbent's model, at whatever vendor, is not held to it.

    With `spill`, the share that a floor leaves to another model's API, all answers together must reach it too; so must they
    with those of another model's API to what is too long for the option.
    """
    today = options["stay"]  # of a second move it is the first, to which the bar does apply
    if option.keeps_model or _resold(option, today):
        return np.ones(1, dtype=bool)

    def wrong(of: Option) -> Number:
        return answered_wrong(of, options[of.escalates_to].error_rate)

    def reached(rate: Number) -> NDArray[np.bool_]:
        return np.asarray(1.0 - np.asarray(rate, dtype=np.float64) >= shared.quality_bar - BAR_TOLERANCE).reshape(-1)

    own = wrong(option)
    handed = (spill, option.spills_to), (long_share(shared, option), option.long_to)
    others = [(share, options[to]) for share, to in handed
              if share is not None and to is not None and not (options[to].same_model or _resold(options[to], today))]
    together = own
    for share, other in others:
        together = together + share * (wrong(other) - together)
    return reached(own) & reached(together) if others else reached(own)


def _resold(option: Option, today: Option) -> bool:
    """True of today's model at another vendor's API, under its name or the one by which that vendor sells it."""
    elsewhere = option.api is not None and today.api is not None and option.vendor != today.vendor
    return elsewhere and not option.trains and option.kind != "cascade" and today.system in (option.system, option.answers_as)


def can_fail(shared: Shared, usd_per_error: Number, counts: str) -> bool:
    """True where answers can be too bad: a bar holds them, or wrong ones count and cost something in a draw."""
    return shared.quality_bar > 0 or (counts == "errors" and bool(np.any(np.asarray(usd_per_error) > 0)))


def tells_quality(path: str, option: Option) -> bool:
    """True where the fact at `path` says how often the option's own answers are wrong."""
    systems = {option.system, option.end_to_end or option.system}
    told = any(word in path for word in ("error_rate", "right_where_", "evaluation_noise"))
    return told and any(f".{name}." in f"{path}." for name in (*systems, option.id))


def tested(shared: Shared, option: Option) -> bool:
    """True where the option's answers were judged on enough items, or are the incumbent's own."""
    enough = option.items is None or float(np.max(option.items)) >= shared.min_items
    return option.keeps_model or (option.evaluated and enough)


def binds(option: Option) -> bool:
    """True where the option trains, buys cards or commits to a term: no configuration undoes it within a month."""
    terms = [each.minimum_months for each in (option.plan, option.provisioned) if each is not None]
    committed = any(float(np.max(months)) > UNDONE_WITHIN for months in (*terms, option.commitment_months))
    bought = option.hardware is not None and (option.plan is None or bool(np.all(np.isinf(option.plan.gpus_owned))))
    return option.trains or bought or committed
