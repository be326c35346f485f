"""Habits of a loop that no field of a plan says, as labels among a measured run's assumptions."""

from typing import Final

from roi.estimate.measured import MeasuredRun
from roi.estimate.prediction import Prediction

CHUNKED_LOSS: Final = "loss computed in chunks, predicted whole"
"""The loss never holds its fp32 chain for all tokens at once (LitGPT, torchtune): the low end leaves the loss phase out."""

EMPTIED_CACHE: Final = "cache emptied by the loop"
"""The loop calls torch.cuda.empty_cache: freed blocks do not pile up, so the allocator adds little to the peak."""

VARIABLE_LENGTHS: Final = "lengths vary, cache kept"
"""A sequence longer than all before opens new segments while those of shorter ones stay, so the allocator may hold up to as
much again as a step needs; at one fixed length it reuses them."""

UNPREPARED: Final = "no k-bit preparation, predicted with it"
"""What is not quantised stays in 16 bits (LitGPT; peft's prepare_model_for_kbit_training casts it to fp32): the low end has
embedding, head and norms in 16 bits."""

STEP_IN_BACKWARD: Final = "optimizer step inside backward, predicted after it"
"""Each gradient is freed as soon as its parameter is updated (torchtune's optimizer_in_bwd): the low end has no gradients."""

LOOSE: Final = frozenset({CHUNKED_LOSS, VARIABLE_LENGTHS, UNPREPARED, STEP_IN_BACKWARD})
"""Marks of loops that are not the one which the instruments run."""

STACKS_APART: Final = (0.86, 1.70)
"""Memory of one nominal configuration on another stack: Qwen's README and ms-swift state the same model, card, length, batch,
LoRA, checkpointing and attention, and differ by -14% to +70% (1.8B, 7B and 14B at 2,048 and 8,192 tokens)."""


def loosen(found: Prediction, run: MeasuredRun) -> Prediction:
    """The prediction with the spread of other stacks where the run's loop, or what its figure is, is not known."""
    marks = {label for label, _ in run.assumed}
    if run.memory_kind != "unstated" and not marks & LOOSE:
        return found
    below, above = STACKS_APART
    return Prediction(found.value, found.low * below, max(found.high, found.value * above))
