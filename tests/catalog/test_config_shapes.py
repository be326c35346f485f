"""Shapes read from a config.json: what the catalog's families give, and what is no decoder at all."""

import json

import pytest
from click.testing import CliRunner

from roi.catalog.models.config_shapes import shape_of_config
from roi.catalog.models.configs import ModelConfig, model_config
from roi.catalog.models.shapes import find_model, load_models
from roi.cli import main
from roi.errors import InputError

USUAL = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072, "vocab_size": 30522,
         "max_position_embeddings": 512}


def config(**entries):
    return ModelConfig("own", entries, "")


def configured():
    """Models of the catalog with a configuration that the rules take; mixtures and the like are refused by name."""
    for model in load_models():
        try:
            yield model, shape_of_config(model_config(model))
        except InputError:
            continue


def test_every_dense_configuration_of_the_catalog_has_its_parameters_to_the_last_one():
    """150 and more of 27 types: biases, norms, tied heads, two-matrix MLPs, positions."""
    read = list(configured())
    assert len(read) >= 150
    assert len({found.family for _, found in read}) >= 27
    assert [(model.id, found.parameters) for model, found in read if found.parameters != model.parameters] == []


def test_gpt2_without_n_inner_is_four_times_as_wide_as_transformers_makes_it():
    """Null and absent mean 4 x 768; the head is tied unless the file says otherwise: 124,439,808 parameters."""
    entries = {"model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024, "vocab_size": 50257}
    for more in ({}, {"n_inner": None}, {"n_inner": 3072}):
        assert shape_of_config(config(**entries, **more)).parameters == find_model("gpt2").parameters == 124_439_808
    assert shape_of_config(config(**entries, n_inner=1024)).mlp[0].intermediate == 1024


def test_a_falcon_of_one_key_head_is_read_from_multi_query():
    """falcon-7b's own file has no num_key_value_heads."""
    entries = {"model_type": "falcon", "hidden_size": 4544, "num_hidden_layers": 32, "num_attention_heads": 71,
               "vocab_size": 65024, "multi_query": True, "new_decoder_architecture": False, "bias": False,
               "parallel_attn": True}
    assert shape_of_config(config(**entries)).parameters == find_model("falcon-7b").parameters


@pytest.mark.parametrize(("kind", "told"), [
    ("bert", "model_type 'bert' is an encoder; only decoder-only causal language models of attention and MLPs are read"),
    ("t5", "model_type 't5' is an encoder and a decoder"),
    ("mamba", "model_type 'mamba' is no transformer, but a recurrent or state-space model"),
    ("lama", "model_type 'lama' is unknown, and no entry of architectures ends in ForCausalLM or LMHeadModel; nearest: llama"),
    ("gemma4_text", "model_type 'gemma4_text' has parts that its config.json does not give"),
])
def test_what_is_no_decoder_or_unknown_is_refused_by_its_type(tmp_path, kind, told):
    """With and without --dry-run: transformers would build BERT with a causal head that nobody trains."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"model_type": kind, **USUAL}))
    for more in ((), ("--dry-run",)):
        answer = CliRunner().invoke(main, ["fit", str(file), "--seq", "128", *more])
        assert answer.exit_code == 2
        assert told in answer.stderr
        assert answer.stderr.count("\n") == 1


def test_an_encoder_with_another_name_is_known_by_its_entry():
    with pytest.raises(InputError, match="'mynewt5' is an encoder and a decoder"):
        shape_of_config(config(model_type="mynewt5", is_encoder_decoder=True, **USUAL))


def test_an_unknown_type_that_says_causal_is_read_as_a_dense_decoder():
    found = shape_of_config(config(model_type="mylm", architectures=["MyLMForCausalLM"], **USUAL))
    assert (found.family, found.layers, found.hidden) == ("mylm", 12, 768)
