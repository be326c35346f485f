"""Shapes read from a config.json: what the catalog's families give, and what is no decoder at all."""

import json
import re
from contextlib import suppress
from unittest.mock import patch

import pytest
import torch
import transformers
from asked import ask
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from roi.catalog.models.architectures import known_types, text_part
from roi.catalog.models.config_shapes import shape_of_config
from roi.catalog.models.configs import ModelConfig, model_config, read_config, siglip_parameters
from roi.catalog.models.shapes import find_model, load_models
from roi.catalog.rows import read_json
from roi.errors import InputError
from roi.estimate.training.adapters import trained_parameters
from roi.estimate.training.memory import training_memory
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.setting import WITHOUT_FLASH, WITHOUT_SDPA
from roi.estimate.training.sharding import layer_unit_bytes
from roi.profiling.stack import quiet

USUAL = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072, "vocab_size": 30522,
         "max_position_embeddings": 512}
LATENT = USUAL | {"model_type": "deepseek_v3", "moe_intermediate_size": 512, "n_routed_experts": 64, "num_experts_per_tok": 6,
                  "n_group": 8, "topk_group": 4, "first_k_dense_replace": 1}


def config(**entries):
    return ModelConfig("own", entries, "")


def configured():
    """Models of the catalog with a configuration of their own that the rules take; stand-ins differ, and say in what."""
    for model in load_models():
        try:
            found = model_config(model)
            if not found.differs:
                yield model, shape_of_config(found)
        except InputError:
            continue


@pytest.mark.full
def test_every_configuration_of_the_catalog_has_its_parameters_to_the_last_one():
    """200 and more of 40 types: mixtures, latent and linear attention too."""
    read = list(configured())
    assert len(read) >= 200
    assert len({found.family for _, found in read}) >= 40
    assert [(model.id, found.parameters) for model, found in read if found.parameters != model.parameters] == []
    for model, found in read:  # and its adapters and activations
        for plan in (TrainingPlan(trainer="hf"), TrainingPlan(method="qlora", checkpointing=False, autocast=True)):
            assert float(trained_parameters(found, plan)) == float(trained_parameters(model, plan)), model.id
            peaks = [float(training_memory(shape, plan).peak_allocated_bytes) for shape in (found, model)]
            assert peaks[0] == pytest.approx(peaks[1], rel=0.003), model.id


def test_gpt2_without_n_inner_is_four_times_as_wide_as_transformers_makes_it():
    """Null and absent mean 4 x 768; the head is tied unless the file says otherwise: 124,439,808 parameters."""
    entries = {"model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024, "vocab_size": 50257}
    for more in ({}, {"n_inner": None}, {"n_inner": 3072}):
        assert shape_of_config(config(**entries, **more)).parameters == find_model("gpt2").parameters == 124_439_808
    assert shape_of_config(config(**entries, n_inner=1024)).mlp[0].intermediate == 1024


def test_a_falcon_of_one_key_head_is_read_from_multi_query():
    """falcon-7b's own file has no num_key_value_heads."""
    entries = {"model_type": "falcon", "hidden_size": 4544, "num_hidden_layers": 32, "num_attention_heads": 71, "bias": False,
               "vocab_size": 65024, "multi_query": True, "new_decoder_architecture": False, "parallel_attn": True}
    assert shape_of_config(config(**entries)).parameters == find_model("falcon-7b").parameters


@pytest.mark.parametrize(("kind", "told"), [
    ("bert", "model_type 'bert' is an encoder; only decoder-only causal language models are read"),
    ("t5", "model_type 't5' is an encoder and a decoder"),
    ("lama", "model_type 'lama' is not read: its parameters could not be checked against transformers; nearest: llama"),
    ("zebra", "; for an estimate name a model of the catalog of its size, or write its sizes under a type that is built alike"),
])
def test_what_is_no_decoder_or_unknown_is_refused_by_its_type(tmp_path, kind, told):
    """With and without --dry-run: transformers would build BERT with a causal head that nobody trains."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"model_type": kind, **USUAL}))
    for more in ((), ("--dry-run",)):
        answer = ask("fit", file, "--seq", "128", *more)
        assert answer.exit_code == 2
        assert told in answer.stderr
        assert answer.stderr.count("\n") == 1


def test_an_unknown_type_that_names_a_known_class_is_told_the_type_that_counts_it(tmp_path):
    """Kimi K2 by its own type, then as DeepSeek-V3's class: 1,026,408,209,408 as published."""
    kimi = {"hidden_size": 7168, "intermediate_size": 18432, "num_hidden_layers": 61, "num_attention_heads": 64,
            "num_key_value_heads": 64, "vocab_size": 163840, "kv_lora_rank": 512, "q_lora_rank": 1536, "qk_nope_head_dim": 128,
            "qk_rope_head_dim": 64, "v_head_dim": 128, "n_routed_experts": 384, "n_shared_experts": 1, "num_experts_per_tok": 8,
            "moe_intermediate_size": 2048, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1,
            "max_position_embeddings": 131072, "architectures": ["DeepseekV3ForCausalLM"]}
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"model_type": "kimi_k2", **kimi}))
    with pytest.raises(InputError, match="its architectures name the class of model_type deepseek_v3, under which it is read"):
        shape_of_config(read_config(file))
    file.write_text(json.dumps({"model_type": "deepseek_v3", **kimi}))
    assert shape_of_config(read_config(file)).parameters == 1_026_408_209_408 == find_model("kimi-k2").parameters
    for odd in ([], {}, [3], "DeepseekV3ForCausalLM", ["NoSuchForCausalLM"], [""]):
        with pytest.raises(InputError, match="could not be checked against transformers; nearest"):
            shape_of_config(config(model_type="kimi_k2", **{**kimi, "architectures": odd}))


@pytest.mark.parametrize(("entries", "told"), [
    ({"model_type": "llama"}, "states no hidden_size and no num_hidden_layers, and nothing can be counted without"),
    ({"model_type": "gpt2", "n_embd": 768}, "config.json states no num_hidden_layers, and"),
    ({"model_type": "llama", **USUAL, "hidden_size": 4096, "num_attention_heads": 33},
     "num_attention_heads: 33 does not divide hidden_size 4,096, and head_dim is not stated"),
    ({"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 7}, "n_head: 7 does not divide n_embd 768"),
    ({"model_type": "qwen3_moe", **USUAL, "head_dim": 0}, "head_dim: 0 is not usable; 1 or more"),
    ({"model_type": "qwen3_moe", **USUAL, "mlp_only_layers": 5}, "mlp_only_layers: 5 is not usable; a list of layers, from 0"),
    ({"model_type": "llama", **USUAL, "num_key_value_heads": 5}, "num_key_value_heads: 5 does not divide num_attention_heads"),
    *[({"model_type": "qwen3_moe", **USUAL, "num_experts": 128, "num_experts_per_tok": n},
       f"num_experts_per_tok: {n} is not usable; from 1 to the 128 experts that a token may choose") for n in (0, 800)],
    ({"model_type": "llama", **USUAL, "max_position_embeddings": [512]}, "max_position_embeddings: '[512]' is not usable"),
    ({**LATENT, "num_experts_per_tok": 2.5}, "num_experts_per_tok: '2.5' is not usable; a whole number"),
    ({**LATENT, "n_group": 7}, "n_group: 7 does not divide the 64 experts"),
    ({**LATENT, "topk_group": 9}, "topk_group: 9 is not usable; from 1 to n_group 8"),
    ({**LATENT, "topk_group": 1, "num_experts_per_tok": 9}, "num_experts_per_tok: 9 is not usable; from 1 to the 8 experts"),
])
def test_a_file_without_width_or_depth_or_with_numbers_that_cannot_be_is_refused(tmp_path, entries, told):
    """transformers refuses 33 heads of 4,096 too (LlamaConfig.validate_architecture); with a width of their own, neither."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps(entries))
    answer = ask("fit", file, "--seq", "128")
    assert (answer.exit_code, answer.stderr.count("\n")) == (2, 1)
    assert told in answer.stderr
    shape_of_config(config(model_type="llama", **(USUAL | {"hidden_size": 4096, "num_attention_heads": 33, "head_dim": 128})))


def test_what_a_model_that_sees_has_besides_its_decoder_is_told(tmp_path):
    """Gemma 3 12B: transformers builds 12,187,325,040 with a projection of 1,152 x 3,840 and a norm of 1,152 too."""
    tower = {"hidden_size": 1152, "image_size": 896, "intermediate_size": 4304, "model_type": "siglip_vision_model",
             "num_hidden_layers": 27, "patch_size": 14, "vision_use_head": False}
    text = {"hidden_size": 3840, "head_dim": 256, "intermediate_size": 15360, "model_type": "gemma3_text",
            "num_attention_heads": 16, "num_hidden_layers": 48, "num_key_value_heads": 8}
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"model_type": "gemma3", "text_config": text, "vision_config": tower}))
    assert siglip_parameters(tower) == 12_187_325_040 - 11_766_034_176 - (1152 * 3840 + 1152) == 416_866_032
    said = " ".join(ask("fit", tmp_path, "--gpu", "L4").stdout.split())
    assert "11,766,034,176 parameters, as transformers builds them" in said
    assert ("it is the text decoder alone of gemma3: vision_config (416,866,032 parameters, 0.8 GiB in bf16) and what joins"
            " them to it are in no figure here") in said
    file.write_text(json.dumps({"model_type": "qwen2_vl", "text_config": {**USUAL, "model_type": "qwen2_vl_text"},
                                "vision_config": {"depth": 32}}))
    assert "the text decoder alone of qwen2_vl: vision_config and what joins them" in shape_of_config(read_config(file)).note
    thinker = {"text_config": {**USUAL, "model_type": "qwen2_5_omni_text"}, "vision_config": {}, "audio_config": {}}
    file.write_text(json.dumps({"model_type": "qwen2_5_omni", "thinker_config": thinker, "talker_config": {}}))
    assert ("the text decoder alone of qwen2_5_omni: talker_config, vision_config, audio_config and what joins them"
            in shape_of_config(read_config(file)).note)


MISTRAL_SMALL = {"model_type": "mistral", "vocab_size": 131072, "hidden_size": 5120, "intermediate_size": 32768,
                 "num_hidden_layers": 40, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128}
QWEN2_7B = {"model_type": "qwen2", "vocab_size": 151674, "hidden_size": 3584, "intermediate_size": 18944,
            "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4}
QWEN2_HALF_B = {"model_type": "qwen2", "vocab_size": 152000, "hidden_size": 896, "intermediate_size": 4864,
                "num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2, "tie_word_embeddings": True}


@pytest.mark.parametrize(("outer", "inside", "parameters"), [
    # Mistral Small 3.1 states no tie; Mistral3Config has one since transformers 5, the released weights none: 23,572,403,200
    ({"model_type": "mistral3", "transformers_version": "4.50.0.dev0"}, MISTRAL_SMALL, 23_572_403_200),
    ({"model_type": "mistral3", "transformers_version": "5.0.0"}, MISTRAL_SMALL, 23_572_403_200 - 131_072 * 5120),
    ({"model_type": "mistral3"}, {**MISTRAL_SMALL, "tie_word_embeddings": False}, 23_572_403_200),
    # LLaVA-OneVision 0.5B: untied outside, tied within; Qwen2 0.5B with 152,000 rows of 896
    ({"model_type": "llava_onevision", "tie_word_embeddings": False}, QWEN2_HALF_B, 494_032_768 + 64 * 896),
    # InternVL3 8B keeps its decoder in llm_config; Qwen2.5 7B with 390 rows less, twice
    ({"model_type": "internvl_chat", "architectures": ["InternVLChatModel"]}, QWEN2_7B, 7_615_616_512 - 2 * 390 * 3584),
])  # fmt: skip
def test_head_and_embedding_of_a_model_that_sees_are_tied_where_its_weights_are(tmp_path, outer, inside, parameters):
    part = "llm_config" if outer["model_type"] == "internvl_chat" else "text_config"
    (tmp_path / "config.json").write_text(json.dumps({**outer, part: inside, "vision_config": {"depth": 24}}))
    assert shape_of_config(read_config(tmp_path)).parameters == parameters


def test_a_head_dim_of_0_is_read_where_the_class_has_it_so():
    assert read_json("models/architectures.json")["types"]["glm5_next_text"]["entries"]["head_dim"] == 0
    assert shape_of_config(ModelConfig("x", {"model_type": "glm5_next_text", "head_dim": 0}, "")).parameters > 3e11


def test_groups_bind_only_a_choice_by_groups():
    """DeepSeek-V2's class chooses greedily by default: 16 of 64 experts, though one group of 8 holds 8."""
    entries = {"model_type": "deepseek_v2", **USUAL, "n_routed_experts": 64, "num_experts_per_tok": 16, "n_group": 8,
               "topk_group": 1, "moe_intermediate_size": 256, "first_k_dense_replace": 1}
    assert shape_of_config(ModelConfig("x", {**entries, "topk_method": "greedy"}, "")).mixture
    with pytest.raises(InputError, match="num_experts_per_tok: 16 is not usable; from 1 to the 8 experts"):
        shape_of_config(ModelConfig("x", {**entries, "topk_method": "group_limited_greedy"}, ""))


def test_what_llava_leaves_out_of_its_text_part_is_the_class_s(tmp_path):
    """llava-1.5-7b's own file states of Vicuna 7B neither width nor depth: those of LlamaConfig, 6,738,673,664 parameters."""
    text = {"model_type": "llama", "max_position_embeddings": 4096, "rms_norm_eps": 1e-05, "vocab_size": 32064}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llava", "text_config": text}))
    found = shape_of_config(read_config(tmp_path))
    assert found.parameters == 6_738_415_616 + 2 * 64 * 4096


def test_an_encoder_with_another_name_is_known_by_its_entry():
    with pytest.raises(InputError, match="'mynewt5' is an encoder and a decoder"):
        shape_of_config(config(model_type="mynewt5", is_encoder_decoder=True, **USUAL))


def test_a_type_that_nobody_checked_is_refused_though_it_says_causal():
    with pytest.raises(InputError, match="'mylm' is not read"):
        shape_of_config(config(model_type="mylm", architectures=["MyLMForCausalLM"], **USUAL))


def test_a_mixture_counts_every_expert_and_a_token_passes_through_its_own():
    """Mixtral 8x7B: 46,702,792,704 parameters; two of eight experts of 3 x 4096 x 14336 in each of 32 layers."""
    found = shape_of_config(config(model_type="mixtral", hidden_size=4096, num_hidden_layers=32, num_attention_heads=32,
                                   num_key_value_heads=8, intermediate_size=14336, vocab_size=32000, num_local_experts=8,
                                   num_experts_per_tok=2, tie_word_embeddings=False, max_position_embeddings=32768))
    assert found.parameters == 46_702_792_704
    idle = 32 * 6 * 3 * 4096 * 14336
    vectors = (2 * 32 + 1) * 4096 + 32000 * 4096
    assert found.active_parameters == 46_702_792_704 - idle - vectors


def test_two_matrices_are_not_taken_for_three():
    """GPT-J: fc_in and fc_out of 4 x 4096, each with a bias; gated it would have 3 x 4 x 4096^2 a layer."""
    found = shape_of_config(config(model_type="gptj"))
    assert not found.mlp[0].gated
    assert found.mlp[0].intermediate == 4 * 4096
    assert found.parameters == 6_050_882_784


def test_a_model_with_vision_is_read_by_its_text_decoder(tmp_path):
    """PaliGemma's file leaves the decoder's type to the class; the tie of the head is the outer model's."""
    text = {"hidden_size": 2048, "num_hidden_layers": 18, "num_attention_heads": 8, "num_key_value_heads": 1, "head_dim": 256,
            "intermediate_size": 16384, "vocab_size": 257216}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "paligemma", "text_config": text, "vision_config": {}}))
    found = shape_of_config(read_config(tmp_path))
    layer = 2048 * 256 * (8 + 1 + 1 + 8) + 3 * 2048 * 16384 + 2 * 2048
    assert (found.family, found.parameters) == ("gemma", 257216 * 2048 + 18 * layer + 2048)


def test_an_entry_whose_value_the_rules_do_not_cover_is_named():
    with pytest.raises(InputError, match="own: hidden_size: 0 is not usable; a whole number from 1"):
        shape_of_config(config(model_type="llama", **USUAL | {"hidden_size": 0}))


def without_storage(kind, entries):
    """Parameters that transformers builds, where none of them is filled."""
    entries = {name: value for name, value in entries.items() if name not in ("model_type", "dtype", "transformers_version")}
    with quiet(), torch.device("meta"), patch.object(PreTrainedModel, "init_weights", lambda *_, **__: None):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **entries))
    model.tie_weights()
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("kind", ["qwen2_moe", "qwen3_moe", "qwen3_next"])
def test_layers_that_a_file_keeps_dense_have_no_experts(tmp_path, kind):
    entries = {**USUAL, "moe_intermediate_size": 96, "num_experts": 16, "num_experts_per_tok": 2, "mlp_only_layers": [0, 5]}
    assert read_as_file(tmp_path, kind, entries) == without_storage(kind, entries)


def read_as_file(folder, kind, entries):
    file = folder / "config.json"
    file.write_text(json.dumps({**entries, "model_type": kind}, default=str))
    return shape_of_config(read_config(file)).parameters


@pytest.mark.slow
def test_of_the_decoders_that_transformers_builds_19_of_20_have_its_count_and_the_others_a_reason(tmp_path):
    """Every type of AutoModelForCausalLM that builds with its own defaults, by its configuration in full and as it is saved.

    Those with vision or audio are left to the types of their text decoders.
    """
    counted, refused, wrong = [], [], []
    for kind in (kind for kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES if text_part({"model_type": kind}) is None):
        with suppress(Exception):
            settings = AutoConfig.for_model(kind)
            wanted = without_storage(kind, settings.to_dict())
            for entries in (settings.to_dict(), settings.to_diff_dict()):
                try:
                    found = read_as_file(tmp_path, kind, entries)
                except InputError as error:
                    refused.append((kind, str(error)))
                else:
                    (counted if found == wanted else wrong).append(kind)
    decoders = [kind for kind, why in refused if "is an encoder" not in why]
    assert sorted(set(wrong)) == []
    assert all(why.count("\n") == 0 for _, why in refused)
    assert len(set(counted)) >= 0.95 * len({*counted, *decoders}), sorted(decoders)


HEADS = re.compile(r"(^|_)(num_\w*heads?|n_heads?|num_query_groups)$|^multi_query_group_num$|key_value_heads|mamba_n_heads")
WIDTHS = re.compile(r"^(hidden_size|n_embd|d_model|dim|embed_dim|embedding_dim)$|intermediate_size|ffn_dim|n_inner|mamba_d_ssm")
DIMS = re.compile(r"head_dim$|^d_head$|_headdim$|mamba_d_head$|v_head_dim|nope_head_dim")


def sized(entries, *groups, by=2):
    """The configuration with all entries of these groups twice as large, so that what must divide still does."""
    grown = {}
    for name, value in entries.items():
        whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
        grown[name] = value * by if whole and any(group.search(name) for group in groups) else value
    return grown


@pytest.mark.slow
def test_a_type_that_is_read_at_its_default_size_is_read_at_others_or_refused(tmp_path):
    """Wider by more heads, wider by wider heads, and with fewer layers: entries that hold together move together.

    One rule with a default's number in it (a width that no entry may leave alone) would count another size as the default.
    """
    wrong, held = [], 0
    for kind in sorted(known_types() & {*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES}):
        try:
            plain = AutoConfig.for_model(kind).to_dict()
        except Exception:  # noqa: BLE001, S112 -- a type without usable defaults is not built by any of these
            continue
        for groups in ((HEADS, WIDTHS), (DIMS, WIDTHS), (WIDTHS,), (HEADS,)):
            entries = sized(plain, *groups)
            try:
                wanted = without_storage(kind, entries)
            except Exception:  # noqa: BLE001, S112 -- this size does not hold together
                continue
            try:
                found = read_as_file(tmp_path, kind, entries)
            except InputError:
                continue
            held += 1
            if found != wanted:
                wrong.append((kind, [group.pattern[:12] for group in groups], found, wanted))
    assert wrong == []
    assert held >= 200


def test_a_hybrid_of_another_size_is_counted_by_its_own_entries():
    """Granite 4.0's kind, 2 Mamba layers and one of attention, 64 wide: by hand, products and vectors of each."""
    sizes = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100,
             "shared_intermediate_size": 96, "num_local_experts": 0, "mamba_n_heads": 8, "mamba_d_state": 16,
             "layer_types": ["mamba", "attention", "mamba"], "tie_word_embeddings": True, "max_position_embeddings": 512}
    channels = 2 * 64 + 2 * 16
    mamba = 64 * (2 * 64 + channels + 8) + 128 * 64 + channels * (4 + 1) + 3 * 8 + 128
    attention = 64 * (64 + 2 * 32) + 64 * 64
    around = 3 * (2 * 64 + 64 * 2 * 96 + 96 * 64) + 64 + 100 * 64
    assert shape_of_config(config(model_type="granitemoehybrid", **sizes)).parameters == 2 * mamba + attention + around


def test_a_stack_of_states_alone_has_a_largest_layer():
    """Mamba2, without an MLP: `roi fit` of it was a traceback. Products in and out of the state, 2 bytes each, at least."""
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 100, "state_size": 16, "num_heads": 8, "head_dim": 16,
             "expand": 2, "n_groups": 1, "conv_kernel": 4}
    shape = shape_of_config(config(model_type="mamba2", **sizes))
    assert layer_unit_bytes(shape, TrainingPlan(method="full")) >= 2.0 * (64 * (2 * 128 + 2 * 16 + 8) + 128 * 64)
    with pytest.raises(InputError, match="no linear_num_key_heads"):
        shape_of_config(config(model_type="mamba2", **sizes, linear_num_value_heads=2))


def test_a_looped_model_keeps_its_layers_once_and_runs_them_twice():
    """Dory: of 4 layers the middle 2 run twice, so 6 are computed; a file lists each as attention and MLP."""
    listed = ["full_attention", "mlp"] * 4
    sizes = {"num_hidden_layers": 8, "n_input_layers": 2, "n_output_layers": 2, "n_recurrent_loops": 2, "layer_types": listed}
    found = shape_of_config(config(model_type="dory", vocab_size=100, **sizes))
    assert (found.layers, found.unrolled.layers) == (4, 6)
    each = sum(linear.parameters_each for linear in found.linears if linear.layers == 2) // 2
    assert found.active_parameters - found.head_parameters == 6 * each
    assert found.cache_bytes(100.0) == 6 / 4 * 4 * 2 * 4 * 256 * 100.0 * 2.0


def test_lfm2_rounds_two_thirds_of_its_width_up_to_a_multiple():
    """2/3 of 12,288 is 8,192 and stays; of 1,000 it is 666, and the next multiple of 256 is 768."""
    small = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100}
    assert shape_of_config(config(model_type="lfm2", **small)).mlp[0].intermediate == 8192
    assert shape_of_config(config(model_type="lfm2", intermediate_size=1000, **small)).mlp[0].intermediate == 768
    assert shape_of_config(config(model_type="lfm2", block_auto_adjust_ff_dim=False, intermediate_size=1000, **small)
                           ).mlp[0].intermediate == 1000


@pytest.mark.parametrize(("sizes", "parameters"), [
    ({"hidden_size": 4096, "head_dim": 512, "moe_intermediate_size": 2048, "num_hidden_layers": 43, "num_attention_heads": 64,
      "q_lora_rank": 1024, "compress_ratios": [0, 0, *[4, 128] * 20, 4, 0]}, 284_332_230_231),
    ({"hidden_size": 7168, "head_dim": 512, "moe_intermediate_size": 3072, "num_hidden_layers": 61, "num_attention_heads": 128,
      "q_lora_rank": 1536, "o_groups": 16, "n_routed_experts": 384, "index_topk": 1024,
      "compress_ratios": [128, 128, *[4, 128] * 29, 4, 0]}, 1_572_997_179_491),
])
def test_deepseek_v4_s_layers_are_compressed_as_its_published_files_say(sizes, parameters):
    """Counts of DeepseekV4ForCausalLM of transformers 5.24 on meta; Flash's first two layers have no compressor: 2 x (two
    products of 4,096 x 512, 128 x 512 positions and a norm of 512) = 8,520,704 fewer than as the class has it by itself."""
    shape = shape_of_config(config(model_type="deepseek_v4", vocab_size=129_280, num_hash_layers=3, **sizes))
    assert shape.parameters == parameters
    for method in ("lora", "qlora"):
        assert float(training_memory(shape, TrainingPlan(method=method, seq=128.0)).peak_allocated_bytes) > 2 * parameters


def test_experts_of_a_width_that_the_class_does_not_have_are_another_model():
    """Kimi K3 calls itself kimi_linear inside; half as wide a stream through its experts halves what they hold."""
    inner = {"model_type": "kimi_linear", "num_hidden_layers": 8, "routed_expert_hidden_size": 3584}
    with pytest.raises(InputError, match="routed_expert_hidden_size: 3584 is not read; transformers' kimi_linear has experts"):
        shape_of_config(config(**inner))


@pytest.mark.slow
def test_families_without_a_fused_attention_are_those_whose_class_says_so():
    """`_supports_sdpa` and `_supports_flash_attn` of every class that is read; those without attention have neither."""
    wrong = []
    for kind in sorted(known_types() & {*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES}):
        named = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[kind]
        found = getattr(transformers, named if isinstance(named, str) else named[0])
        sdpa, flash = found._supports_sdpa, found._supports_flash_attn
        attends = re.search("mamba|rwkv", kind) is None
        if (attends and not sdpa, attends and not flash) != (kind in WITHOUT_SDPA, kind in WITHOUT_FLASH):
            wrong.append((kind, sdpa, flash))
    assert wrong == []
