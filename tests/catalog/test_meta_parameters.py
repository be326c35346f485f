"""Every configuration built by transformers on meta has the shape's parameters, to the last one."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from roi.catalog.models.configs import model_config
from roi.catalog.models.shapes import load_models
from roi.errors import InputError
from roi.profiling.stack import quiet


def count(shape):
    entries = dict(model_config(shape).entries)
    with quiet(), torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(entries.pop("model_type"), **entries))
    model.tie_weights()
    return sum(p.numel() for p in model.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("shape", load_models(), ids=lambda shape: shape.id)
def test_parameters_are_counted_alike(shape):
    try:
        stand_in = model_config(shape).differs  # llm-foundry's positions are learned, 2,048 rows that the class does not have
        without = 2048 * shape.hidden if "2,048 learned positions" in stand_in else 0
        assert count(shape) == shape.parameters - without
    except InputError as error:
        pytest.skip(str(error))
