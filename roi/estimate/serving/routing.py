"""How many of a mixture's experts the tokens of a step pass through."""

from typing import Final, NamedTuple, Self

from roi.facts.model import ModelShape

UNEVEN: Final = 0.7
"""Standard deviation over mean of the tokens that an expert of a layer gets. A judgement: training balances experts over its
own mixture of texts, where most get no more than twice the mean, and texts of one kind prefer some (arXiv 2604.23150). With
it the time to read an expert's byte, fitted on five cards and engines with vLLM, TensorRT-LLM and SGLang, is 0.89 to 1.03 of a
dense one's; where routing is taken as even, 0.82 to 0.97."""
ALL: Final = 1.0 - 1e-12
"""Largest share of the experts that is told from all of them."""


class Routing(NamedTuple):
    """How a layer's tokens spread over its experts: n tokens leave the share (1 + rate n)^-power of these unread."""

    rate: float
    power: float

    @classmethod
    def of(cls, share: float) -> Self:
        """The routing of a model whose tokens pass through this share of the experts; 0: dense, and nothing is left to read.

        What experts get is spread as a gamma distribution, and one token passes through exactly its share. Without that it
        would be (1 - share)^n.
        """
        power = UNEVEN**-2.0
        return cls((1.0 - min(share, ALL)) ** (-1.0 / power) - 1.0, power)


def expert_share(shape: ModelShape) -> float:
    """Share of the experts that one token passes through (first MoE kind; known models have one); 0 if dense."""
    return next((m.experts_per_token / m.experts for m in shape.mlp if m.experts > 1), 0.0)
