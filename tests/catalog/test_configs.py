"""Configurations beside shapes: the same layers, widths and parameters."""

from long_tables import every_row

from roi.catalog.models.configs import model_config
from roi.catalog.models.shapes import load_models
from roi.errors import InputError

LAYERS = ("num_hidden_layers", "n_layer", "n_layers")
WIDTHS = ("hidden_size", "n_embd", "d_model")


def entry(entries, names):
    return next(entries[name] for name in names if name in entries)


@every_row("shape", load_models())
def test_a_configuration_has_the_shape_s_layers_width_and_vocabulary(shape):
    try:
        entries = model_config(shape).entries
    except InputError:
        assert shape.id == "decilm-7b", "key and value heads that differ from layer to layer: no class of transformers"
        return
    assert entry(entries, LAYERS) == shape.layers
    assert entry(entries, WIDTHS) == shape.hidden
    assert entries["vocab_size"] == shape.vocab
