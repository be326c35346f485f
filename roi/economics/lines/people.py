"""Lines of people and data: porting, evaluation, labels, training runs, retraining, on-call."""

import numpy as np

from roi.economics.inputs import Array, Number, Option, Shared, Training
from roi.economics.lines.calendar import events, live_share, split, wages
from roi.economics.lines.line import Line, pick
from roi.units import MONTHS_PER_YEAR


def none(shared: Shared) -> Array:
    """Nothing in any month, shape (H,)."""
    return np.zeros(shared.horizon)


def evaluation_cost(shared: Shared) -> Number:
    """USD of judging one model once: running the evaluation set and buying its labels."""
    return shared.evaluation_usd + shared.evaluation_labels * shared.usd_per_label


def run_cost(training: Training) -> Number:
    """USD of one training run: GPU hours x rent, or what the vendor bills."""
    return training.gpu_hours * training.usd_per_gpu_hour + training.vendor_usd


def setup_lines(shared: Shared, option: Option) -> list[Line]:
    """What is paid once, in month 0."""
    lines = []
    change = f"changes.{option.group}."
    if np.any(np.asarray(option.setup_hours) > 0):
        lines.append(
            Line(
                "engineering, set-up",
                none(shared),
                option.setup_hours * shared.usd_per_hour,
                (change + "setup_hours", "people.usd_per_hour"),
                f"{pick(option.setup_hours, 0):,.6g} h x ${pick(shared.usd_per_hour, 0):,.6g}/h",
                existing_staff=shared.setup_existing,
            )
        )
    if option.changes_model:
        lines.append(
            Line(
                "evaluation before the change",
                none(shared),
                evaluation_cost(shared),
                ("evaluation.usd", "evaluation.labels", "evaluation.usd_per_label"),
                _evaluation_text(shared),
            )
        )
    if option.training is not None:
        lines += _training_lines(shared, option.training, f"options.{option.id}.")
    return lines


def _evaluation_text(shared: Shared) -> str:
    return (
        f"${pick(shared.evaluation_usd, 0):,.6g} + {pick(shared.evaluation_labels, 0):,.6g} labels"
        f" x ${pick(shared.usd_per_label, 0):,.6g}"
    )


def _run_text(t: Training) -> str:
    vendor = pick(t.vendor_usd, 0)
    if vendor:
        return f"${vendor:,.6g} a run"
    return f"{pick(t.gpu_hours, 0):,.6g} GPU-h x ${pick(t.usd_per_gpu_hour, 0):,.6g}/GPU-h"


def _training_lines(shared: Shared, t: Training, own: str) -> list[Line]:
    facts = (
        *(own + "training." + n for n in ("gpu_hours_per_run", "usd_per_gpu_hour", "vendor_usd_per_run")),
        "training.hours_factor",
        "training.runs_until_good",
    )
    each = run_cost(t)
    failed = np.maximum(t.runs - 1.0, 0.0)
    return [
        Line("training, the run that is kept", none(shared), each, facts, _run_text(t)),
        Line("training, runs that are not", none(shared), each * failed, facts, f"{pick(failed, 0):,.6g} x {_run_text(t)}"),
        Line(
            "training data, labels",
            none(shared),
            t.labels * shared.usd_per_label,
            ("training.examples", "evaluation.usd_per_label"),
            f"{pick(t.labels, 0):,.6g} labels x ${pick(shared.usd_per_label, 0):,.6g}",
        ),
    ]


def retraining_line(shared: Shared, option: Option) -> list[Line]:
    """Runs, hours, fresh labels and a new evaluation, every so many months after going live; none in the last month."""
    t = option.training
    if t is None or t.every_months is None:
        return []
    counts = events(option.months_to_live + t.every_months, t.every_months, shared.horizon)
    ends = np.arange(shared.horizon + 1) / MONTHS_PER_YEAR
    wage = shared.usd_per_hour * (1.0 + shared.wage_growth) ** ends
    fixed = t.retrain_runs * run_cost(t) + t.relabel_share * t.labels * shared.usd_per_label + evaluation_cost(shared)
    amount = counts * (fixed + t.retrain_hours * wage)
    upfront, monthly = split(np.asarray(amount))

    def arithmetic(month: int) -> str:
        return (
            f"{pick(counts, month + 1):.0f} x ({pick(t.retrain_runs, 0):,.6g} x {_run_text(t)}"
            f" + {pick(t.retrain_hours, 0):,.6g} h x ${pick(wage, month + 1):,.6g}/h"
            f" + {pick(t.relabel_share, 0):,.6g} x {pick(t.labels, 0):,.6g} labels x ${pick(shared.usd_per_label, 0):,.6g}"
            f" + {_evaluation_text(shared)})"
        )

    names = ("retrain_every_months", "retrain_runs", "retrain_hours", "relabel_share")
    facts = (*(f"training.{n}" for n in names), f"options.{option.id}.training.gpu_hours_per_run")
    return [Line("retraining", monthly, upfront, facts, arithmetic)]


def run_lines(shared: Shared, option: Option) -> list[Line]:
    """Hours of on-call and operation in every month that the option is live."""
    if not np.any(np.asarray(option.run_hours) > 0):
        return []
    live = live_share(option.months_to_live, shared.horizon)
    wage = wages(shared)

    def arithmetic(month: int) -> str:
        return f"{pick(live * option.run_hours, month):,.6g} h x ${pick(wage, month):,.6g}/h"

    return [
        Line(
            "on-call and operation",
            live * option.run_hours * wage,
            0.0,
            (f"changes.{option.group}.run_hours_per_month", "people.usd_per_hour"),
            arithmetic,
            existing_staff=shared.run_existing,
        )
    ]
