"""Which kernels a card takes: by torch's own rule, or as `roi profile probe` saw it on the card at hand."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from roi.facts.environment import ProbeAnswers

CUDNN_FROM: Final = 91_501
"""Oldest cuDNN that is preferred: above 9.15.0."""
TORCH_FROM: Final = (2, 11)
"""Torch releases from here on prefer cuDNN on these cards and are built for a cuDNN that is new enough."""
CUDNN_CARDS: Final = ((9, 0), (10, 0))
"""Compute capability of H100, H200, GH200 and of B200, GB200."""
CAUSAL: Final = "causal, grouped"
MASKED: Final = "mask, grouped"
"""Cases of the probe: bf16 queries with fewer key-value heads, without and with a mask."""

Attention = Literal["flash", "cudnn"]


@dataclass(frozen=True)
class CardKernels:
    """What a card does otherwise than others, as far as the memory of a training step depends on it."""

    attention: Attention = "flash"
    """cudnn: also serves masks with grouped heads, for which others take the math path."""
    hidden_ratio: float = 1.0
    """Buffers of attention's backward over those of the rule."""
    source: str = "torch's rule"


FLASH: Final = CardKernels()


def attention_by_rule(capability: tuple[int, int], torch_version: str, cudnn: int | None, variables: Mapping[str, str]) -> str:
    """cudnn or flash, whichever torch tries first for 16-bit attention; below compute capability 8.0 efficient.

    aten/src/ATen/native/transformers/cuda/sdp_utils.cpp, check_prefer_cudnn_attention and priority_order.
    """
    release = tuple(int(part) for part in re.findall(r"\d+", torch_version)[:2])
    new = release >= TORCH_FROM and cudnn is not None and cudnn >= CUDNN_FROM
    if new and capability in CUDNN_CARDS and variables.get("TORCH_CUDNN_SDPA_DEPRIORITIZED", "0") in {"", "0"}:
        return "cudnn"
    return "flash" if capability >= (8, 0) else "efficient"


def kernels_as_probed(answers: ProbeAnswers, source: str) -> CardKernels:
    """The kernels that a probe saw; what it has no answer to stays as the rule has it."""
    masked = answers.attention.get(MASKED, answers.attention.get(CAUSAL))
    return CardKernels("cudnn" if masked == "cudnn" else "flash", answers.hidden_ratio or 1.0, source)
