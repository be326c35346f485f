"""What the output head and the loss hold, in bytes: whole logits, or TRL's tiles."""

from typing import Final

import numpy as np

from roi.estimate.training.setting import Setting
from roi.facts.model import Number

SOFT_CAPPED: Final = ("gemma2", "gemma3n", "gemma3n_text", "gemma4", "gemma4_text")
"""Families whose head ends in cap x tanh(logits / cap)."""

TILE_TOKENS: Final = 4096.0
"""Tokens of a tile of TRL's fused head (trl/kernels/chunked_logprob.py, TOKEN_CHUNK_SIZE)."""

TILE_VOCAB: Final = 32768.0
"""Rows of the head in a tile (trl/trainer/utils.py, add_fused_lm_head)."""


def logit_bytes(s: Setting) -> float:
    """Bytes of one logit: the head is fp32 after k-bit preparation, and runs in 16 bits under autocast."""
    return 2.0 if s.lowered else s.w


def kept_logits(s: Setting) -> Number:
    """Logits that a loop holds through backward."""
    return logit_bytes(s) * s.tokens * s.model.vocab * float(s.plan.logits_kept)


def loss_chain(s: Setting) -> Number:
    """The loss's backward: log-softmax, its incoming and its outgoing gradient in fp32, and the logits that are kept.

    A soft-capped head also keeps its tanh. TRL's head holds one tile and the fp32 gradient of its input instead.
    """
    if s.plan.chunked_head:
        return tile_bytes(s) + 4.0 * s.model.hidden * s.tokens
    capped = logit_bytes(s) if s.model.family in SOFT_CAPPED else 0.0
    return (12.0 + capped) * s.tokens * s.model.vocab + kept_logits(s)


def tile_bytes(s: Setting) -> Number:
    """TRL's tile of logits, and 16-bit copies of the head's rows and of the input that it multiplies where they are fp32."""
    rows = np.minimum(s.tokens, TILE_TOKENS)
    narrow = 2.0 if s.plan.autocast else s.w
    copies = narrow * s.model.hidden * (TILE_VOCAB + rows) * float(narrow < s.w)
    return narrow * TILE_VOCAB * rows + copies


def chunked_head_gradient(s: Setting) -> float:
    """TRL's gradient of a trained head: fp32, and its copy in the head's type."""
    if s.plan.adapter or not s.plan.chunked_head:
        return 0.0
    return (4.0 + s.plan.trained_bytes) * s.model.head_parameters


def lowered_head_bytes(s: Setting) -> float:
    """Bytes of the 16-bit copy of an fp32 head that autocast keeps for backward."""
    return 2.0 * s.model.head_parameters if s.lowered and s.w >= 4.0 and not s.plan.chunked_head else 0.0
