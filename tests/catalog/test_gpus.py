"""The catalog of GPUs: figures by hand from datasheets, names, and how they hang together."""

import pytest
from long_tables import every_row

from roi.catalog.cards.gpus import find_gpu, load_gpus, matrix_share
from roi.errors import ScenarioError, UnknownName
from roi.facts.gpu import Gpu
from roi.units import GIB

ROWS = load_gpus()


def by_id(gpu: Gpu) -> str:
    return gpu.id


@every_row(
    "name, tflops, gb_per_s, gib, watt",
    [
        ("V100-16", 125, 900, 16, 300),
        ("T4", 65, 320, 16, 70),
        ("3090", 71, 936, 24, 350),
        ("4090", 165.2, 1008, 24, 450),
        ("5090", 209.5, 1792, 32, 575),
        ("3080", 59.5, 760.3, 10, 320),
        ("3090 Ti", 80, 1008, 24, 450),
        ("5080", 112.6, 960, 16, 360),
        ("RTX A4000", 76.7, 448, 16, 140),
        ("RTX PRO 6000 Server Edition", 480, 1597, 96, 600),
        ("A10", 125, 600, 24, 150),
        ("A10G", 70, 600, 24, 300),
        ("A30", 165, 933, 24, 165),
        ("L4", 121, 300, 24, 72),
        ("L40S", 362.05, 864, 48, 350),
        ("A100-40", 312, 1555, 40, 400),
        ("A100-80", 312, 2039, 80, 400),
        ("H100", 989.4, 3350, 80, 700),
        ("H100-PCIe", 756, 2039, 80, 350),
        ("H800", 989.4, 3350, 80, 700),
        ("H200", 989.4, 4800, 141, 700),
        ("H200 NVL", 835.5, 4800, 141, 600),
        ("B200", 2250, 7700, 192, 1000),
        ("B300", 2250, 7700, 288, 1100),
        ("GB300", 2500, 8000, 288, 1400),
        ("MI210", 181, 1638.4, 64, 300),
        ("MI300X", 1307.4, 5300, 192, 750),
        ("V100-PCIE-32GB", 112, 900, 32, 250),
        ("V100S", 130, 1134, 32, 250),
        ("Quadro GV100", 118.5, 868.4, 32, 250),
        ("P100-PCIe", 18.7, 732, 16, 250),
        ("P40", 11.76, 346, 24, 250),
        ("TITAN RTX", 130.5, 672, 24, 280),
        ("RTX 2080 Ti", 53.791, 616, 11, 250),
        ("RTX 3060", 25.475, 360, 12, 170),
        ("RTX 4060 Ti 16GB", 44.129, 288, 16, 165),
        ("RTX 5070 Ti", 87.88, 896, 16, 300),
        ("A2", 18.125, 200.1, 16, 60),
        ("GH200 144GB", 989.4, 4900, 144, 1000),
        ("DGX Spark", 125, 273, 128, 140),
        ("RX 7900 XTX", 122.8, 960, 24, 355),
        ("MI250", 181, 1638.4, 64, 280),
        ("MI350X", 2306.9, 8000, 288, 1000),
    ],
)
def test_common_gpus_have_their_datasheet_figures(name, tflops, gb_per_s, gib, watt):
    """Dense fp16 with fp32 accumulation; memory that a program sees is 85 to 100% of the number on the box."""
    gpu = find_gpu(name)
    assert gpu.fp16_flops == pytest.approx(tflops * 1e12, rel=1e-6)
    assert gpu.bandwidth_bytes_per_s == pytest.approx(gb_per_s * 1e9, rel=1e-6)
    assert gpu.power_w == watt
    assert 0.85 * gib < gpu.memory_bytes / GIB < gib


def test_memory_is_what_out_of_memory_messages_state():
    """L4: "GPU 0 has a total capacity of 22.03 GiB": 22.03 x 2^30 = 23,654,532,383 bytes. H200: 139.80, B200: 178.35,
    RTX PRO 6000: 94.97.
    """
    assert round(find_gpu("L4").memory_bytes / GIB, 2) == 22.03
    assert round(find_gpu("H200").memory_bytes / GIB, 2) == 139.80
    assert round(find_gpu("B200").memory_bytes / GIB, 2) == 178.35
    assert round(find_gpu("RTX PRO 6000 Server Edition").memory_bytes / GIB, 2) == 94.97


def test_links_are_one_direction():
    """NVLink of an H100 is sold as 900 GB/s, both directions: 450 each. An L4 has PCIe 4.0 x16: 31.5 GB/s each way."""
    assert find_gpu("H100").link_bytes_per_s == 450e9
    assert find_gpu("A100-80").link_bytes_per_s == 300e9
    assert find_gpu("L4").link_bytes_per_s == 31.5e9


def test_there_are_at_least_130_gpus_and_every_name_is_known_once():
    assert len(ROWS) >= 130
    assert len({gpu.id for gpu in ROWS}) == len(ROWS)


@every_row("gpu", ROWS)
def test_every_id_and_every_alias_of_one_gpu_alone_finds_it(gpu):
    shared = {name for name in gpu.aliases if sum(name in each.aliases for each in ROWS) > 1}
    for name in {gpu.id, *gpu.aliases} - shared:
        assert find_gpu(name) is gpu
        assert find_gpu(name.lower().replace("-", "_")) is gpu


@every_row("gpu", ROWS)
def test_rates_grow_as_formats_shrink(gpu):
    """fp4 >= fp8 >= 16-bit >= TF32, and a V100 or T4 computes bf16 in fp16. MI100 alone is slower in bf16: 92.3 of 184.6."""
    rates = [gpu.fp4_flops, gpu.fp8_flops, gpu.fp16_flops, gpu.tf32_flops]
    known = [rate for rate in rates if rate]
    assert known == sorted(known, reverse=True)
    if gpu.id == "MI100-32GB":
        assert gpu.matrix_flops("bf16") == gpu.matrix_flops("fp8") == 92.3e12 == gpu.fp16_flops / 2.0
        return
    assert gpu.bf16_flops in (None, gpu.fp16_flops)
    assert gpu.matrix_flops("bf16") == gpu.fp16_flops
    assert gpu.matrix_flops("fp8") == (gpu.fp8_flops or gpu.fp16_flops)


@every_row("gpu", ROWS)
def test_figures_are_in_si_units(gpu):
    """A slip of 1000 would leave these ranges: the ridge point (FLOP per byte) of all these cards lies in 60 to 460.

    H20, whose matrix rate was cut for export, lies at 37, and cards without matrix cores lie at 23 to 34.
    """
    cut = gpu.id.startswith(("H20-", "GTX-10", "P4", "P100-", "MI50-", "MI60-"))
    assert (20 if cut else 60) < gpu.fp16_flops / gpu.bandwidth_bytes_per_s < (40 if cut else 460)
    assert 10e9 < gpu.link_bytes_per_s < 1e12
    assert 2 * 2**20 <= gpu.l2_bytes <= 256 * 2**20
    assert gpu.source
    assert gpu.date.isoformat() in ("2026-11-24", "2026-11-25", "2026-11-26", "2026-11-28")


@every_row(
    "typed, gpu_id",
    [
        ("h100_sxm", "H100-80GB-SXM"),
        ("NVIDIA H100 80GB HBM3", "H100-80GB-SXM"),
        ("Tesla T4", "T4"),
        ("rtx 4090", "RTX-4090"),
        ("NVIDIA GeForce RTX 4090", "RTX-4090"),
        ("a100-80gb", "A100-80GB-SXM"),
        ("NVIDIA A100-SXM4-40GB", "A100-40GB-SXM"),
        ("AMD Instinct MI300X", "MI300X-192GB"),
        ("A6000", "RTX-A6000"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX-PRO-6000-SE"),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", "RTX-PRO-6000-WS"),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "RTX-PRO-6000-MQ"),
        ("rtx_pro_6000_server", "RTX-PRO-6000-SE"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX-6000-Ada"),
        ("nvidia_b300_sxm", "B300-288GB-SXM"),
        ("NVIDIA B300 SXM6 AC", "B300-288GB-SXM"),
        ("NVIDIA H800", "H800-80GB-SXM"),
        ("NVIDIA A800-SXM4-80GB", "A800-80GB-SXM"),
        ("NVIDIA A800 80GB PCIe", "A800-80GB-PCIe"),
        ("NVIDIA H200 NVL", "H200-141GB-NVL"),
        ("NVIDIA GeForce RTX 4080 SUPER", "RTX-4080-Super"),
        ("AMD Instinct MI250X", "MI250X-64GB-GCD"),
    ],
)
def test_names_that_people_and_drivers_use_are_understood(typed, gpu_id):
    assert find_gpu(typed).id == gpu_id


def test_a100_alone_is_an_error_that_names_40_and_80():
    with pytest.raises(ScenarioError, match=r"fleet\.gpu: 'A100'.*A100-40GB-SXM.*A100-80GB-SXM"):
        find_gpu("A100", "fleet.gpu")


@every_row("name", ["RTX 6000", "RTX 3070M", "RTX 4070 Laptop", "RTX 4090D V2", "H20e", "H800 PCIe",
                                  "A4", "A3000", "L2", "B100", "MI25", "MI308X", "RTX PRO 3000", "P102-100", "GB1"])
def test_no_name_is_taken_for_a_card_near_it(name):
    """Each of these is a card of its own that the catalog lacks, or several."""
    with pytest.raises(UnknownName):
        find_gpu(name)


def test_rtx_pro_6000_alone_is_an_error_that_names_its_three_editions():
    with pytest.raises(ScenarioError, match=r"RTX-PRO-6000-WS or RTX-PRO-6000-MQ or RTX-PRO-6000-SE; name one"):
        find_gpu("RTX PRO 6000")


def test_cards_without_matrix_cores_reach_no_more_than_their_datasheet_says():
    """P40: 250 W for 11.76 TFLOP/s would be 1.10 of it by the law of cards with matrix cores."""
    bare = {gpu.id for gpu in ROWS if not gpu.matrix_cores}
    assert {"P40", "P4", "P100-16GB-PCIe", "GTX-1080-Ti", "MI50-32GB", "RX-6900-XT"} <= bare
    assert not bare & {"T4", "V100-16GB-SXM", "RTX-2060", "RTX-3070", "A100-80GB-SXM", "RX-7900-XTX", "MI300X-192GB"}
    assert matrix_share(find_gpu("P40")) == 1.0
    assert matrix_share(find_gpu("RTX 3090")) == pytest.approx(78.0 / 71.0)


def test_int8_weights_are_computed_in_16_bits_where_int8_products_are_slower():
    """B300: 153.5 TOPS of int8, 2,250 TFLOPS of bf16; H100: 1,978.9 TOPS."""
    assert find_gpu("B300").matrix_flops("int8") == 2250e12
    assert find_gpu("H100").matrix_flops("int8") == 1978.9e12


def test_a_processor_is_a_card_once_its_owner_describes_it():
    with pytest.raises(ScenarioError, match=r"--gpu: 'CPU' is not usable; this processor counts once gpus\.json of your data"):
        find_gpu("CPU", "--gpu")


@pytest.mark.parametrize("id", ["B580-12GB", "HL-325L-128GB", "B60-24GB"])
def test_warp_groups_are_those_of_hopper_and_the_data_centres_blackwell(id):
    """13 of the catalog; what else a card of one's own may be called is no such one."""
    assert sum(gpu.warp_groups for gpu in ROWS) == 13
    assert not find_gpu("L4").model_copy(update={"id": id}).warp_groups


def test_an_unknown_gpu_names_the_nearest():
    with pytest.raises(UnknownName, match=r"gpu: unknown GPU 'H1000'; nearest: H100(, [^,;]+){2}; `roi fit .* lists all$"):
        find_gpu("H1000")


@pytest.mark.parametrize("name", ["", "  ", "zzzz"])
def test_a_name_that_is_near_to_none_is_answered_with_the_command_that_lists_them(name):
    with pytest.raises(UnknownName, match=rf"--gpu: unknown GPU '{name}'; none of .*; `roi fit MODEL --full` lists all$"):
        find_gpu(name, "--gpu")
