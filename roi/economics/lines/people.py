"""Lines of people and data: porting, evaluation, labels, training runs, retraining, on-call."""

import numpy as np

from roi.economics.inputs import Number, Option, Shared, Training
from roi.economics.lines.line import Line, events, live_share, pick, split, wages
from roi.units import MONTHS_PER_YEAR


def evaluation_cost(shared: Shared) -> Number:
    """USD of judging one model once: running the evaluation set and buying its labels."""
    return shared.evaluation_usd + shared.evaluation_labels * shared.usd_per_label


def run_cost(training: Training) -> Number:
    """USD of one training run: GPU hours x rent, or what the vendor bills."""
    return training.gpu_hours * training.usd_per_gpu_hour + training.vendor_usd


def setup_lines(shared: Shared, option: Option) -> list[Line]:
    """The lines of what is paid once, in month 0."""
    lines, nothing = [], np.zeros(shared.horizon)
    if np.any(np.asarray(option.setup_hours) > 0):
        lines.append(Line(
            name="engineering, set-up", monthly=nothing, upfront=option.setup_hours * shared.usd_per_hour,
            facts=(f"changes.{option.group}.setup_hours", "people.usd_per_hour"), existing_staff=shared.setup_existing,
            arithmetic=f"{pick(option.setup_hours):,.6g} h x ${pick(shared.usd_per_hour):,.6g}/h",
        ))
    if not option.keeps_model:
        lines.append(Line(
            name="evaluation before the change", monthly=nothing, upfront=evaluation_cost(shared),
            facts=("evaluation.usd", "evaluation.labels", "evaluation.usd_per_label"), arithmetic=_evaluation_text(shared),
        ))
    if option.training is not None:
        lines += _training_lines(shared, option.training, f"options.{option.id}.training.")
    return lines


def _evaluation_text(shared: Shared) -> str:
    labels, usd = pick(shared.evaluation_labels), pick(shared.usd_per_label)
    return f"${pick(shared.evaluation_usd):,.6g} + {labels:,.6g} labels x ${usd:,.6g}"


def _run_text(t: Training) -> str:
    vendor = pick(t.vendor_usd)
    return f"${vendor:,.6g} a run" if vendor else f"{pick(t.gpu_hours):,.6g} GPU-h x ${pick(t.usd_per_gpu_hour):,.6g}/GPU-h"


def _training_lines(shared: Shared, t: Training, own: str) -> list[Line]:
    facts = (
        *(own + n for n in ("gpu_hours_per_run", "usd_per_gpu_hour", "vendor_usd_per_run")), "training.hours_factor",
        "training.runs_until_good",
    )
    each, nothing = run_cost(t), np.zeros(shared.horizon)
    failed = np.maximum(t.runs - 1.0, 0.0)
    return [
        Line(name="training, the run that is kept", monthly=nothing, upfront=each, facts=facts, arithmetic=_run_text(t)),
        Line(
            name="training, runs that are not", monthly=nothing, upfront=each * failed, facts=facts,
            arithmetic=f"{pick(failed):,.6g} x {_run_text(t)}",
        ),
        Line(
            name="training data, labels", monthly=nothing, upfront=t.labels * shared.usd_per_label,
            facts=("training.examples", "evaluation.usd_per_label"),
            arithmetic=f"{pick(t.labels):,.6g} labels x ${pick(shared.usd_per_label):,.6g}",
        ),
    ]


def retraining_line(shared: Shared, option: Option) -> list[Line]:
    """Runs, hours, fresh labels and, unless left out, a new evaluation, every so many months after going live."""
    t = option.training
    if t is None or t.every_months is None:
        return []
    counts = events(option.months_to_live + t.every_months, t.every_months, shared.horizon)
    wage = shared.usd_per_hour * (1.0 + shared.wage_growth) ** (np.arange(shared.horizon + 1) / MONTHS_PER_YEAR)
    fixed = t.retrain_runs * run_cost(t) + t.relabel_share * t.labels * shared.usd_per_label
    if t.retrain_evaluates:
        fixed = fixed + evaluation_cost(shared)
    upfront, monthly = split(np.asarray(counts * (fixed + t.retrain_hours * wage)))

    def arithmetic(month: int) -> str:
        return (
            f"{pick(counts, month + 1):.0f} x ({pick(t.retrain_runs):,.6g} x {_run_text(t)}"
            f" + {pick(t.retrain_hours):,.6g} h x ${pick(wage, month + 1):,.6g}/h"
            f" + {pick(t.relabel_share):,.6g} x {pick(t.labels):,.6g} labels x ${pick(shared.usd_per_label):,.6g}"
            f"{f' + {_evaluation_text(shared)}' if t.retrain_evaluates else ''})"
        )

    names = ("retrain_every_months", "retrain_runs", "retrain_hours", "relabel_share")
    facts = (*(f"training.{n}" for n in names), f"options.{option.id}.training.gpu_hours_per_run")
    return [Line(name="retraining", monthly=monthly, upfront=upfront, facts=facts, arithmetic=arithmetic)]


def run_lines(shared: Shared, option: Option) -> list[Line]:
    """Hours of on-call and operation in every month that the option is live."""
    if not np.any(np.asarray(option.run_hours) > 0):
        return []
    hours, wage = live_share(option.months_to_live, shared.horizon) * option.run_hours, wages(shared)
    return [Line(
        name="on-call and operation", monthly=hours * wage, existing_staff=shared.run_existing,
        facts=(f"changes.{option.group}.run_hours_per_month", "people.usd_per_hour"),
        arithmetic=lambda month: f"{pick(hours, month):,.6g} h x ${pick(wage, month):,.6g}/h",
    )]
