"""llama.cpp on Apple's GPUs: its speed beside the roofline, on other chips, and rows that are not estimated."""

from pathlib import Path

import pytest

from roi.catalog.cards.apple import apple_gpus
from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.serving_efficiencies import METAL, engine_habits, engine_on, find_engine
from roi.catalog.models.shapes import find_model
from roi.estimate.serving.iteration import roofline_iteration
from roi.estimate.serving.weight_formats import step_read_bytes, weight_format
from roi.evidence.serving_speed import on_card, serving_evidence
from roi.store.tables.csv_table import CsvTable, TextRow
from roi.store.tables.serving_table import serving_table

ROW = {"id": "a", "model": "llama-3-8b", "gpu": "M2-Ultra-76-192GB", "engine": "llama.cpp", "design": "2024",
       "weight_dtype": "q4_k_m", "load": "static", "concurrency": "1", "isl": "1", "osl": "512", "output_tok_per_s": "80"}
ULTRA = "M2-Ultra-76-192GB"


def read(**cells):
    row = {name: cell for name, cell in (ROW | cells).items() if cell}
    return serving_table(CsvTable(Path("t.csv"), tuple(row), (TextRow(2, row),)))


def step(card, weights="f16", model="llama-3-8b"):
    gpu = find_gpu(card) if isinstance(card, str) else card
    return roofline_iteration(find_model(model), gpu, 1.0, weights, 256.0, on_card(find_engine(METAL), gpu))


@pytest.mark.parametrize(("engine", "card", "family"), [
    ("llama.cpp-2024", ULTRA, METAL), ("llama.cpp", "M1-7-8GB", METAL), ("ollama", ULTRA, METAL), ("vllm", ULTRA, "vllm"),
    ("llama.cpp-2024", "RTX-4090", "llama.cpp-2024"), ("ollama", "H100", "ollama"), ("vllm-2024", "MI300X", "vllm-2024")])
def test_llama_cpp_and_ollama_on_a_mac_are_a_family_of_their_own_whatever_the_year(engine, card, family):
    assert engine_on(find_gpu(card), engine) == family


@pytest.mark.parametrize("weights", ["f16", "q8_0", "q4_k_m", "q4_0"])
def test_no_mac_decodes_faster_than_its_memory_reads_the_weights(weights):
    """M2 Ultra: 16.0 GB of Llama-3-8B in f16 at 800 GB/s are 20 ms, so never above 50 tokens/s."""
    read_bytes = step_read_bytes(find_model("llama-3-8b"), weights)[0]
    for gpu in apple_gpus():
        assert float(step(gpu, weights).decode_s(1.0, 0.0)) > read_bytes / gpu.bandwidth_bytes_per_s, gpu.id
    assert 1.0 / float(step(ULTRA).decode_s(1.0, 0.0)) < 50.0


def test_no_mac_computes_prompts_faster_than_its_alus_multiply():
    """2 FLOPs a parameter but for the head's: 27.2e12 / 2 / 6.98e9, 1,949 tokens/s of Llama-3-8B on an M2 Ultra."""
    shape = find_model("llama-3-8b")
    flops = 2.0 * (shape.active_parameters - shape.head_parameters)
    for gpu in apple_gpus():
        assert 1.0 / float(step(gpu).prefill_token_s) < gpu.fp16_flops / flops, gpu.id
    assert find_gpu(ULTRA).fp16_flops / flops == pytest.approx(1949, rel=0.001)


def test_a_chip_is_as_fast_with_more_memory_and_a_larger_one_of_its_generation_is_faster():
    assert step("M2-Ultra-76-64GB") == step(ULTRA) != step("M2-Ultra-60-192GB")
    for generation in ("M1", "M2"):
        times = [float(step(card, "q4_k_m").decode_s(1.0, 0.0)) for card in (
            f"{generation}-8-16GB", f"{generation}-Pro-16-32GB",
            f"{generation} Max 64GB {'32' if generation == 'M1' else '38'}",
            f"{generation}-Ultra {'64' if generation == 'M1' else '76'} 128GB")]
        assert times == sorted(times, reverse=True)


def test_unpacking_weighs_more_where_a_chip_has_fewer_instructions_for_a_byte():
    """M1 Max: 24 of 32 cores at the same bandwidth, so 32/24 of the time; nothing of q4_0 and f16."""
    row = find_engine(METAL)
    more, less = (on_card(row, find_gpu(f"M1 Max {cores}-core 64GB")).unpacking for cores in (24, 32))
    assert more / less == pytest.approx(32 / 24)
    assert on_card(row, find_gpu(ULTRA)).unpacking == row.on(ULTRA).unpacking
    mac, card = find_gpu(ULTRA), find_gpu("RTX-4090")
    assert [weight_format(name).reading_on(mac) for name in ("f16", "q4_0", "q8_0", "q4_k_m")] == [0.0, 0.0, 0.0, 1.0]
    assert [weight_format(name).reading_on(card) for name in ("f16", "q4_0", "q8_0", "q4_k_m")] == [0.0, 1.0, 1.0, 1.0]


def test_prompts_of_packed_weights_take_longer_on_alus_that_unpack_them_too():
    """On a card with tensor cores they take as long: `packed_products` is not asked there."""
    packed = find_engine(METAL).on(ULTRA).packed_products
    assert 1.0 < packed < 1.5
    assert float(step(ULTRA, "q4_k_m").prefill_token_s) > 1.1 * float(step(ULTRA).prefill_token_s)


def test_the_interval_of_another_chip_is_wider_and_of_the_same_with_other_memory_it_is_the_same():
    row = find_engine(METAL)
    own, more, other = (row.ends("speed", card, "llama-3-8b", "xjd", mixture=False)[1]
                        for card in (ULTRA, "M2-Ultra-76-64GB", "M3-Max-40-64GB"))
    assert 1.0 < own == more < other
    assert [row.level(card) for card in (ULTRA, "M2-Ultra-76-64GB", "M3-Max-40-64GB")] == ["model", "model", "elsewhere"]
    assert row.nearest("M2-Ultra-76-64GB", "llama-3-8b").startswith("16 rows, M2-Ultra-76-192GB, llama.cpp-metal, this model")


def test_a_row_on_a_mac_is_predicted_by_the_runs_on_macs():
    run, = read().runs
    assert (run.engine, engine_habits(run.engine).sequence_limit) == (METAL, 4.0)
    assert "M2-Ultra-76-192GB, llama.cpp-metal" in serving_evidence(run).basis


@pytest.mark.parametrize(("cells", "column", "told"), [
    ({"engine": "vllm"}, "engine", "not estimated on Apple's GPUs; llama.cpp and ollama are"),
    ({"engine": "tensorrt-llm"}, "engine", "llama.cpp and ollama are"), ({"engine": "other"}, "engine", "ollama are"),
    ({"pp": "2"}, "pp", "1 on Apple's GPUs: a model spread over several Macs is not estimated"),
    ({"tp": "2"}, "tp", "a model spread over several Macs is not estimated"),
    ({"model": "llama-3-70b", "weight_dtype": "f16", "gpu": "M2-Ultra-76-128GB"}, "tp", "131 GiB a GPU are more than one"),
    ({"gpu": "M2-Ultra"}, "gpu", "it may be M2-Ultra-60-64GB or "),
])
def test_a_row_that_no_mac_runs_is_skipped_with_the_reason(cells, column, told):
    skipped, = read(**cells).skipped
    assert skipped.column == column
    assert told in skipped.why
