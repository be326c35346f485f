"""Memory beyond torch's allocated peak on one GPU: the allocator's slack and the CUDA context."""

from roi.catalog.cuda_contexts import cuda_context
from roi.catalog.efficiencies import training_efficiencies
from roi.estimate.fitting import Overhead
from roi.facts.gpu import Gpu


def training_overhead(gpu: Gpu) -> Overhead:
    """Slack as replayed from dry runs, context as observed on cards with as many resident threads."""
    slack, context = training_efficiencies().allocator_slack, cuda_context(gpu)
    return Overhead((slack.number(), *slack.spread()), (context.number(), *context.spread()))
