"""Options of `roi fit` that would change nothing beside the others: said, not passed over."""

import click
from click.core import ParameterSource

from roi.errors import InputError
from roi.estimate.training.plan import DTYPE_BYTES, METHODS, TrainingPlan

NO_ADAPTER = "--method full trains every weight and has no adapter; leave it out, or take lora"
NO_HOURS = "hours and USD need --examples"


def check_options(context: click.Context) -> None:
    """Raise where an option was given that the others leave without effect; a value that is no choice is refused elsewhere."""
    asked, given = context.params, {
        name for name in context.params
        if context.get_parameter_source(name) not in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)
    }  # fmt: skip
    method = str(asked["method"])
    full, data = method == "full", asked["examples"] is not None
    nf4 = method not in METHODS or TrainingPlan(method=method).quantised  # type: ignore[arg-type]  # one of METHODS
    idle = {
        "rank": ("--rank", full, NO_ADAPTER), "targets": ("--targets", full, NO_ADAPTER),
        "dropout": ("--dropout", full, NO_ADAPTER),
        "double_quant": ("--double-quant" if asked["double_quant"] else "--no-double-quant", not nf4,
                         f"--method {method} stores no NF4 scales; leave it out, or take qlora or qdora"),
        "autocast": ("--autocast", bool(asked["autocast"]) and DTYPE_BYTES.get(str(asked["dtype"])) == 4.0,
                     "--dtype fp32 has nothing to run in fewer bits; leave it out, or take bf16"),
        "epochs": ("--epochs", not data, NO_HOURS), "tokens_per_example": ("--tokens-per-example", not data, NO_HOURS),
    }  # fmt: skip
    for name, (shown, useless, why) in idle.items():
        if name in given and useless:
            raise InputError(f"{shown}: without effect here: {why}")
