"""Habits of a loop that no field of a plan says, as labels among a measured run's assumptions."""

from typing import Final

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
