"""What a row of measurements does not say: the defaults that stand in, each with its other value, and habits of its loop."""

import re
from dataclasses import replace
from typing import Any, NamedTuple

from roi.estimate.accuracy.measured_run import CHUNKED_LOSS, EMPTIED_CACHE, STEP_IN_BACKWARD, UNPREPARED, VARIABLE_LENGTHS
from roi.estimate.training.plan import TrainingPlan
from roi.store.tables.row_fields import (
    Row,
    Unusable,
    attention,
    cell,
    checkpointing,
    flag,
    full_length,
    memory_kind,
    optimizer,
)

Assumed = tuple[tuple[str, TrainingPlan], ...]


class Default(NamedTuple):
    """A value that stands in for what the row does not say."""

    field: str
    """Field of the plan."""
    name: str
    """Column, as the report shows it."""
    used: Any  # Any: a field's value
    other: Any  # Any: the same field's other value


def settle(row: Row, plan: TrainingPlan, *, double_quant: bool | None) -> tuple[TrainingPlan, Assumed]:
    """The plan with what the row states and with defaults for the rest; each default with the plan of its other value.

    Defaults are set all at once and then exchanged one at a time, so that each difference stands alone. Habits that no
    field says come with the plan itself.
    """
    stated = _stated(row, plan)
    defaults = [*_loop_defaults(row, plan, stated), *_plan_defaults(row, plan, stated, double_quant=double_quant)]
    known = {field: value for field, value in stated.items() if value is not None}
    settled = replace(plan, **(known | {default.field: default.used for default in defaults}))
    others = tuple((f"{d.name} {_word(d.used)}", replace(settled, **{d.field: d.other})) for d in defaults)
    return settled, (*others, *((mark, settled) for mark in _marks(row, settled)))


def _stated(row: Row, plan: TrainingPlan) -> dict[str, Any]:  # Any: values of fields
    """Fields of the plan that the row may state, None where it does not."""
    states = cell(row, "optimizer_state_dtype")
    form = optimizer(f"{cell(row, 'optimizer')} {states}".strip(), plan.method) or optimizer(_noted(row), plan.method)
    if form == "adamw" and plan.adapter and not states and _sixteen_bit_adapters(row):
        form = "adamw-bf16"
    kept = flag(row, "logits_kept")
    if kept is None and cell(row, "trainer"):
        kept = plan.trainer != "hf"
    return {
        "dropout": _share(row), "logits_kept": kept, "autocast": flag(row, "autocast"),
        "optimizer": form, "attention": attention(cell(row, "attention_impl")),
        "checkpointing": checkpointing(cell(row, "gradient_checkpointing")),
    }  # fmt: skip


def _noted(row: Row) -> str:
    """The AdamW that the notes name ("PagedAdamW bnb", "8-bit AdamW"), for rows whose own column leaves it open; else empty."""
    found = re.search(r"(?i)\b(paged[ _-]?)?(8[ _-]?bit[ _-]?)?adamw(?![a-z])([ _-]?8[ _-]?bit)?", cell(row, "notes"))
    return found.group(0) if found else ""


def _loop_defaults(row: Row, plan: TrainingPlan, stated: dict[str, Any]) -> list[Default]:  # Any: values of fields
    """What the framework decides: dropout, whether the logits outlive the loss, autocast."""
    framework, found = cell(row, "framework").lower(), []
    if plan.adapter and stated["dropout"] is None:
        usual = 0.05 if "canifinetune" in framework else 0.0
        found.append(Default("dropout", "lora_dropout", usual, 0.0 if usual else 0.05))
    if stated["logits_kept"] is None:
        # torchtune's recipes delete the logits before backward; the HF Trainer lets its output go
        kept = plan.trainer != "hf" and "torchtune" not in framework
        found.append(Default("logits_kept", "logits_kept", kept, not kept))
    mixed = "mixed" in cell(row, "base_dtype").lower()
    if stated["autocast"] is None and plan.dtype != "fp32" and (plan.trainer != "plain" or mixed):
        # bf16=True of the HF Trainer and TRL is autocast
        found.append(Default("autocast", "autocast", used=True, other=False))
    if stated["autocast"] is None and plan.adapter and _sixteen_bit_adapters(row):
        # no field says 16-bit adapters, so they are predicted in fp32; under autocast their inputs and products are 16-bit
        found.append(Default("autocast", "16-bit adapters as autocast", used=False, other=True))
    return found


def _plan_defaults(
    row: Row, plan: TrainingPlan, stated: dict[str, Any], *, double_quant: bool | None,  # Any: values of fields
) -> list[Default]:
    """What the user decides and the row leaves out."""
    found = []
    if stated["optimizer"] is None:
        found.append(Default("optimizer", "optimizer", "adamw", "paged-adamw-8bit"))
    elif stated["optimizer"] == "adamw" and plan.adapter and not cell(row, "optimizer_state_dtype"):
        found.append(Default("optimizer", "optimizer states", "adamw", "adamw-bf16"))
    if not cell(row, "base_dtype"):
        found.append(Default("dtype", "base_dtype", "bf16", "fp16"))
    if stated["attention"] is None:
        found.append(Default("attention", "attention_impl", "sdpa", "eager"))
    if stated["checkpointing"] is None:
        # peft's prepare_model_for_kbit_training turns it on; otherwise a trainer has it off unless asked
        found.append(Default("checkpointing", "gradient_checkpointing", plan.quantised, not plan.quantised))
    if plan.quantised and double_quant is None:
        found.append(Default("double_quant", "double quantisation", used=True, other=False))
    return found


def _marks(row: Row, plan: TrainingPlan) -> list[str]:
    """Habits that no field of a plan says."""
    framework, kind, found = cell(row, "framework").lower(), cell(row, "peak_mem_kind").lower(), []
    litgpt = "litgpt" in framework or "lit-gpt" in framework
    if litgpt or "chunked ce" in cell(row, "notes").lower():
        found.append(CHUNKED_LOSS)
    if plan.quantised and litgpt:
        found.append(UNPREPARED)
    if re.search(r"in[ _](bwd|backward)", cell(row, "optimizer").lower()) and not plan.adapter:
        found.append(STEP_IN_BACKWARD)
    if "empty_cache" in kind:
        found.append(EMPTIED_CACHE)
    elif memory_kind(kind) != "allocated" and not full_length(cell(row, "packing")):
        found.append(VARIABLE_LENGTHS)
    return found


def _sixteen_bit_adapters(row: Row) -> bool:
    """True where the whole module, adapters included, was cast to 16 bits (Lightning's bf16-true)."""
    return cell(row, "base_dtype").lower().endswith("-true")


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _share(row: Row) -> float | None:
    """LoRA dropout, None where the column is absent or empty."""
    text = cell(row, "lora_dropout")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise Unusable("lora_dropout", text, "not a number") from None
    if not 0.0 <= value < 1.0:
        raise Unusable("lora_dropout", text, "from 0 up to, but not including, 1")
    return value
