"""`roi fit` of a checkpoint whose weights are packed: by its config.json, and by its name."""

import json

import pytest
from asked import ask

from roi.catalog.models.configs import read_config
from roi.catalog.models.shapes import find_model
from roi.catalog.models.stored_weights import stored_by_name

pytestmark = pytest.mark.usefixtures("no_profiles")

LLAMA_3_8B = {"model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
              "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 8192,
              "tie_word_embeddings": False}
PACKED = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336)
"""Weights of its linear layers."""
WHOLE = 8_030_261_248
FP8_GROUP = {"group_0": {"weights": {"num_bits": 8, "type": "float"}}}


def run(folder, entry, *words):
    (folder / "config.json").write_text(json.dumps(LLAMA_3_8B | {"quantization_config": entry}))
    return ask("fit", folder, "--as-of", "2026-11-24", "--gpu", "L40S", "--format", "json", *words)


@pytest.mark.parametrize(("entry", "asked", "method", "weights", "said"), [
    # NF4: half a byte, a byte of scale for 64 weights and 4 bytes for 256 of those; the rest in fp32
    ({"load_in_4bit": True, "bnb_4bit_use_double_quant": True}, "lora", "qlora",
     PACKED * (0.5 + (1 + 4 / 256) / 64) + 4 * (WHOLE - PACKED), "--method lora on it is qlora"),
    ({"load_in_4bit": True, "llm_int8_skip_modules": ["lm_head", "model.layers.3.mlp"]}, "dora", "qdora",
     PACKED * (0.5 + 4 / 64) + 4 * (WHOLE - PACKED), "some modules of its layers are left in 16 bits"),
    ({"load_in_8bit": True}, "lora", "lora-int8",
     PACKED + 4 * 32 * (2 * 4096 + 2 * 1024 + 2 * 14336 + 4096) + 4 * (WHOLE - PACKED), "8-bit bitsandbytes"),
    # GPTQ: half a byte, and for 128 weights a scale of 2 bytes and a zero point of half a byte; the rest stays in bf16
    ({"quant_method": "gptq", "bits": 4}, "lora", "qlora",
     PACKED * (0.5 + 2.5 / 128) + 2 * (WHOLE - PACKED), "adapters train on the packed weights"),
    ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "lora", "lora", 2 * WHOLE, "counted unpacked to bf16"),
    ({"quant_method": "mxfp4"}, "full", "full", 2 * WHOLE, "unpacked to bf16"),
    ({"quant_method": "compressed-tensors", "config_groups": FP8_GROUP}, "qlora", "qlora",
     PACKED * (0.5 + (1 + 4 / 256) / 64) + 4 * (WHOLE - PACKED), "it packs nothing a second time"),
])  # fmt: skip
def test_a_packed_checkpoint_is_trained_as_its_method_admits_and_that_is_said(tmp_path, entry, asked, method, weights, said):
    told = run(tmp_path, entry, "--method", asked)
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert found["method"] == method
    assert found["memory"]["weights_bytes"] == pytest.approx(weights, rel=1e-6)
    assert said in found["stored"]


@pytest.mark.parametrize(("entry", "words", "said"), [
    ({"load_in_4bit": True}, ("--method", "full"), "packed weights are frozen; take --method qlora"),
    ({"load_in_8bit": True}, ("--method", "qlora"), "in 8-bit bitsandbytes: known: lora, rslora, lora-int8"),
    ({"load_in_4bit": True}, ("--stack", "litgpt"), "which --stack litgpt does not load"),
    ({"quant_method": "gptq", "bits": 4}, ("--gpus", "2", "--sharding", "fsdp"), "packed integers cannot be split"),
    ({"quant_method": "gptq"}, (), "in no stated number of bits; known: 2, 3, 4, 8"),
    ({"quant_method": "awq", "bits": 4}, (), "4-bit awq; transformers trains adapters on it, but"),
    ({"quant_method": "auto-round", "bits": 4}, (), "on which transformers does not train"),
    ({"quant_method": "myq"}, (), "quant_method 'myq', which is not known here; known: bitsandbytes, gptq, mxfp4"),
    ({"group_size": 64, "bits": 4}, (), "a quantization_config without quant_method"),
])  # fmt: skip
def test_a_packing_that_is_not_trained_so_or_not_known_is_refused_by_its_name(tmp_path, entry, words, said):
    told = run(tmp_path, entry, *words)
    assert (told.exit_code, said in told.output) == (2, True), told.output
    assert "16-bit release" in told.output


def test_a_model_that_sees_says_outside_its_decoder_how_it_is_packed(tmp_path):
    outer = {"model_type": "gemma3", "text_config": {"model_type": "gemma3_text"}, "vision_config": {}}
    (tmp_path / "config.json").write_text(json.dumps(outer | {"quantization_config": {"load_in_4bit": True}}))
    assert read_config(tmp_path).stored.told == "4-bit bitsandbytes"


@pytest.mark.parametrize(("name", "told", "served"), [
    ("unsloth/llama-3-8b-bnb-4bit", "4-bit bitsandbytes", None), ("TheBloke/Llama-2-7B-GPTQ", "4-bit gptq", "int4"),
    ("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int8", "8-bit gptq", "int8"), ("Qwen/Qwen3-8B-AWQ", "4-bit awq", "int4"),
    ("RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8-dynamic", "fp8", "fp8"), ("nvidia/Llama-3.1-8B-Instruct-NVFP4", "nvfp4", "nvfp4"),
    ("RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w4a16", "4-bit compressed-tensors", "int4"),
    ("llama-3.1-8b-AWQ-INT4", "4-bit awq", "int4"), ("mobiuslabsgmbh/Llama-3.1-8B-Instruct-HQQ", "hqq", None),
    ("llama-3.1-8b-exl2", "exl2", None), ("bartowski/Meta-Llama-3.1-8B-Instruct-GGUF", "gguf", None),
    ("llama-3.1-8b-Q4_K_M", "gguf", None), ("llama-3.1-8b-q8_0", "gguf", None), ("llama-3.1-8b-mlx-4bit", "mlx", None),
    ("mlx-community/Llama-3.1-8B-Instruct-4bit", "4-bit packing of no named method", None),
    ("llama-3.1-8b-int8", "8-bit packing of no named method", None),
])  # fmt: skip
def test_a_name_says_how_its_checkpoint_is_packed(name, told, served):
    found = stored_by_name(name)
    assert (found.told, found.served) == (told, served)
    assert find_model(name)


@pytest.mark.parametrize(("name", "said"), [
    ("llama-3.1-8b-HQQ", "stored in hqq; transformers trains adapters on it, but what its kernels"),
    ("llama-3.1-8b-EXL2", "stored in exl2, on which transformers does not train"),
    ("llama-3.1-8b-GGUF", "stored in gguf, on which transformers does not train"),
    ("llama-3.1-8b-4bit", "stored in 4 bits by its name, which does not say by which method; give its config.json"),
])  # fmt: skip
def test_training_on_what_a_name_says_and_no_formula_knows_is_refused(name, said):
    told = ask("fit", name, "--gpu", "H100")
    assert (told.exit_code, said in told.output) == (2, True), told.output
    assert "16-bit release" in told.output


def test_a_name_without_a_packing_says_nothing_and_gpt_oss_is_what_its_publisher_made_it():
    assert stored_by_name("meta-llama/Llama-3.1-8B-Instruct") is None
    told = ask("fit", "gpt-oss-20b", "--gpu", "H100").stdout
    assert "Stored in mxfp4: transformers does not train it so; it is counted unpacked" in " ".join(told.split())
