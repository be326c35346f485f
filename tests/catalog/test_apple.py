"""Apple's GPUs: names as people and benchmark tables write them, memory as Metal gives it, rates as Apple publishes them."""

import pytest

from roi.catalog.cards.apple import apple_gpus, apple_named
from roi.catalog.cards.gpus import find_gpu, gpus_named, load_gpus
from roi.errors import ScenarioError, UnknownName
from roi.facts.gpu import same_chip
from roi.units import GIB, MIB

ONE = {
    "M2 Ultra 76-Core GPU 192GB": "M2-Ultra-76-192GB", "M2-Ultra-76-Core-GPU-192GB": "M2-Ultra-76-192GB",
    "M2-Ultra-76-192GB": "M2-Ultra-76-192GB", "Apple M2 Ultra (76c, 192G)": "M2-Ultra-76-192GB",
    "Mac Studio M2 Ultra, 24-core CPU, 76-core GPU, 192 GB unified memory": "M2-Ultra-76-192GB",
    "m2ultra 60 core 64gb": "M2-Ultra-60-64GB", "M3 Max 40-core 64GB": "M3-Max-40-64GB", "M3 Max 64GB": "M3-Max-40-64GB",
    "MacBook Pro M3 Max 36GB": "M3-Max-30-36GB", "Apple M1 7-Core GPU 8GB": "M1-7-8GB", "M4 Max 36GB": "M4-Max-32-36GB",
    "M3 Ultra 512GB": "M3-Ultra-80-512GB", "Mac mini M4 Pro 20-Core GPU 64GB": "M4-Pro-20-64GB",
}
SEVERAL = {"Apple M2 Ultra": 6, "Mac Studio M2 Ultra": 6, "M2 Ultra 192GB": 2, "M2 Ultra 192": 2, "M1": 4, "M1 Pro 16-core": 2,
           "M3 Max": 5, "M4": 5}
NONE = ("M2 Ultra 50-core", "M2 Ultra 96GB", "M2 Ultra Plus", "M40", "M60", "M9", "Mac Studio", "M2 Ultra 76-core 76GB",
        "M1 Laptop", "Tesla M4")


@pytest.mark.parametrize("name", ONE)
def test_a_name_with_all_that_matters_is_one_card(name):
    assert find_gpu(name).id == ONE[name]


@pytest.mark.parametrize("name", SEVERAL)
def test_a_name_that_leaves_cores_or_memory_open_is_refused_with_the_choices(name):
    assert len(gpus_named(name)) == SEVERAL[name]
    with pytest.raises(ScenarioError, match=r"it may be M\d.* or .*; name one"):
        find_gpu(name)


@pytest.mark.parametrize("name", NONE)
def test_what_apple_never_sold_or_another_word_is_no_card(name):
    assert not gpus_named(name)
    with pytest.raises(UnknownName, match="unknown GPU"):
        find_gpu(name)


@pytest.mark.parametrize("name", ["M5", "Apple M5 Max", "MacBook Pro M5 10-core 32GB"])
def test_a_chip_whose_rate_apple_does_not_publish_says_so(name):
    with pytest.raises(ScenarioError, match="does not publish the rate of M5's matrix units"):
        find_gpu(name)


def test_every_mac_is_found_by_its_id_and_no_other_card_is_apples():
    assert all(find_gpu(gpu.id) == gpu and gpu.apple and not gpu.amd for gpu in apple_gpus())
    assert len({gpu.id for gpu in apple_gpus()}) == len(apple_gpus())
    assert not any(gpu.apple or apple_named(gpu.id) for gpu in load_gpus())
    assert (same_chip("M2-Ultra-76-192GB"), same_chip("H100-80GB-SXM")) == ("M2-Ultra-76", "H100-80GB-SXM")


@pytest.mark.parametrize(("name", "printed"), [
    ("M1 Pro 16-core 16GB", 11453.25e6), ("M2 Max 38-core 32GB", 21845.34 * MIB), ("M2 Max 96GB", 73728.0 * MIB),
    ("M2 Ultra 76-core 192GB", 144.0 * GIB), ("M3 Max 128GB", 96.0 * GIB),
])
def test_memory_is_what_metal_prints_as_its_recommended_working_set(name, printed):
    """llama.cpp's logs print it in MB or MiB; 2/3 x 16 x 2^30 = 11,453,246,123 bytes."""
    assert find_gpu(name).memory_bytes == pytest.approx(printed, rel=1e-5)


@pytest.mark.parametrize(("name", "tflops"), [
    ("M1 8-core 16GB", 2.6), ("M1 Pro 16-core 16GB", 5.2), ("M1 Max 32-core 64GB", 10.4), ("M1 Ultra 64-core 128GB", 21.0),
    ("M2 10-core 24GB", 3.6), ("M2 Pro 19-core 32GB", 6.8), ("M2 Max 38-core 96GB", 13.6), ("M2 Ultra 76-core 192GB", 27.2),
])
def test_cores_times_128_alus_times_two_times_the_clock_is_what_apple_publishes(name, tflops):
    """Of M1 Pro, Max and Ultra Apple counts 2% less than their clock gives."""
    gpu = find_gpu(name)
    assert gpu.fp32_flops / 1e12 == pytest.approx(tflops, rel=0.022)
    assert gpu.fp16_flops == gpu.fp32_flops == gpu.matrix_flops("bf16") == gpu.matrix_flops("fp8")
    assert not gpu.matrix_cores
