"""Configurations beside shapes: the same layers, widths and parameters."""

from long_tables import every_row

from roi.catalog.models.config_shapes import shape_of_config
from roi.catalog.models.configs import model_config
from roi.catalog.models.shapes import find_model, load_models
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


def test_dropout_is_read_from_the_configuration_and_where_it_says_nothing_is_its_class_s():
    """Starcoder2's published files state a tenth of all three kinds, GPT-2's class has it so."""
    stated, usual = (model_config(find_model(name)) for name in ("starcoder2-3b", "gpt2"))
    assert shape_of_config(stated).dropped == shape_of_config(usual).dropped == ("scores", "stream")
    off = {**usual.entries, "attn_pdrop": 0.0, "resid_pdrop": 0.0}
    assert shape_of_config(usual._replace(entries=off)).dropped == ()
    swedish = shape_of_config(usual._replace(entries={**usual.entries, "model_type": "gpt-sw3"}))
    assert (swedish.family, swedish.dropped) == ("gpt2", ("scores", "stream"))
