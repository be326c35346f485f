"""Names of GPUs as drivers, clouds, benchmark tables and people write them: the card that is meant, or none."""

import pytest
from long_tables import every_row

from roi.catalog.cards.gpu_names import read_name
from roi.catalog.cards.gpus import find_gpu, gpus_named, load_gpus
from roi.errors import ScenarioError, UnknownName

ONE = {
    "nvidia-smi and torch": """
        NVIDIA H100 80GB HBM3 = H100-80GB-SXM; NVIDIA H100 PCIe = H100-80GB-PCIe; NVIDIA H100 NVL = H100-94GB-NVL
        NVIDIA H200 = H200-141GB-SXM; NVIDIA H200 NVL = H200-141GB-NVL; NVIDIA B200 = B200-192GB-SXM
        NVIDIA B300 SXM6 AC = B300-288GB-SXM; NVIDIA GB200 = GB200-192GB; NVIDIA GB300 = GB300-288GB
        NVIDIA GH200 480GB = GH200-96GB; NVIDIA GH200 120GB = GH200-96GB; NVIDIA GH200 144G HBM3e = GH200-144GB
        NVIDIA H20 = H20-96GB-SXM; NVIDIA H800 = H800-80GB-SXM; NVIDIA A800-SXM4-80GB = A800-80GB-SXM
        NVIDIA A800 80GB PCIe = A800-80GB-PCIe; NVIDIA A100-SXM4-80GB = A100-80GB-SXM; NVIDIA A100-SXM4-40GB = A100-40GB-SXM
        NVIDIA A100 80GB PCIe = A100-80GB-PCIe; NVIDIA A100-PCIE-40GB = A100-40GB-PCIe; NVIDIA A10G = A10G; NVIDIA A10 = A10
        NVIDIA A2 = A2; NVIDIA A16 = A16-16GB-GPU; NVIDIA A30 = A30; NVIDIA A40 = A40; NVIDIA L4 = L4; NVIDIA L40S = L40S
        NVIDIA L40 = L40; NVIDIA L20 = L20; Tesla T4 = T4; Tesla V100-SXM2-16GB = V100-16GB-SXM
        Tesla V100-SXM2-32GB = V100-32GB-SXM; Tesla V100-PCIE-32GB = V100-32GB-PCIe; Tesla V100-PCIE-16GB = V100-16GB-PCIe
        Tesla V100S-PCIE-32GB = V100S-32GB-PCIe; Tesla P100-PCIE-16GB = P100-16GB-PCIe; Tesla P100-SXM2-16GB = P100-16GB-SXM
        Tesla P40 = P40; Tesla P4 = P4; NVIDIA GeForce GTX 1080 Ti = GTX-1080-Ti; NVIDIA TITAN RTX = TITAN-RTX
        NVIDIA TITAN V = TITAN-V; TITAN RTX = TITAN-RTX; NVIDIA GeForce RTX 2080 Ti = RTX-2080-Ti
        GeForce RTX 2080 SUPER = RTX-2080-Super; NVIDIA GeForce RTX 3060 = RTX-3060; NVIDIA GeForce RTX 3070 Ti = RTX-3070-Ti
        NVIDIA GeForce RTX 3090 = RTX-3090; NVIDIA GeForce RTX 4070 = RTX-4070; NVIDIA GeForce RTX 4070 Ti = RTX-4070-Ti
        NVIDIA GeForce RTX 4070 Ti SUPER = RTX-4070-Ti-Super; NVIDIA GeForce RTX 4070 SUPER = RTX-4070-Super
        NVIDIA GeForce RTX 4090 D = RTX-4090-D; NVIDIA GeForce RTX 5070 Ti = RTX-5070-Ti; NVIDIA GeForce RTX 5090 = RTX-5090
        NVIDIA RTX A6000 = RTX-A6000; NVIDIA RTX A2000 12GB = RTX-A2000-12GB; NVIDIA RTX 6000 Ada Generation = RTX-6000-Ada
        NVIDIA RTX 4000 SFF Ada Generation = RTX-4000-SFF-Ada; Quadro RTX 6000 = Quadro-RTX-6000
        Quadro RTX 8000 = Quadro-RTX-8000; Quadro GV100 = Quadro-GV100; NVIDIA GB10 = GB10
        NVIDIA RTX PRO 6000 Blackwell Server Edition = RTX-PRO-6000-SE; NVIDIA RTX PRO 4000 Blackwell = RTX-PRO-4000
        RTX 6000 Pro Blackwell Server Edition = RTX-PRO-6000-SE; RTX 4000 Pro = RTX-PRO-4000
        NVIDIA RTX PRO 5000 72GB Blackwell = RTX-PRO-5000-72GB; NVIDIA GeForce RTX 4090, 24564 MiB = RTX-4090
        NVIDIA A100-SXM4-80GB, 81920 MiB = A100-80GB-SXM; NVIDIA H100 80GB HBM3, 81559MiB = H100-80GB-SXM
        NVIDIA B200, 183359 MiB = B200-192GB-SXM; NVIDIA H200, 143771MiB = H200-141GB-SXM""",
    "rocm-smi and lspci": """
        AMD Instinct MI300X = MI300X-192GB; AMD Instinct MI300X OAM = MI300X-192GB; AMD Instinct MI325X OAM = MI325X-256GB
        AMD Instinct MI250X = MI250X-64GB-GCD; AMD Instinct MI250 = MI250-64GB-GCD; AMD Instinct MI210 = MI210-64GB
        AMD Instinct MI300A = MI300A-128GB; AMD Instinct MI100 = MI100-32GB; AMD Instinct MI60 = MI60-32GB
        AMD Radeon RX 7900 XTX = RX-7900-XTX; Radeon RX 7900 XT = RX-7900-XT; AMD Radeon PRO W7900 = Radeon-PRO-W7900
        AMD Radeon AI PRO R9700 = Radeon-AI-PRO-R9700; AMD Radeon 8060S Graphics = Radeon-8060S
        Radeon RX 9070 XT = RX-9070-XT
        NVIDIA Corporation GA102 [GeForce RTX 3090] (rev a1) = RTX-3090; NVIDIA Corporation AD102GL [L40S] = L40S
        NVIDIA Corporation GH100 [H100 PCIe] = H100-80GB-PCIe; NVIDIA Corporation GA100 [A100 PCIe 80GB] = A100-80GB-PCIe
        NVIDIA Corporation TU104GL [Tesla T4] (rev a1) = T4""",
    "MLPerf": """
        NVIDIA H100-SXM-80GB = H100-80GB-SXM; NVIDIA H200-SXM-141GB = H200-141GB-SXM
        NVIDIA H200-SXM-141GB-CTS = H200-141GB-SXM
        NVIDIA H100-PCIe-80GB = H100-80GB-PCIe; NVIDIA H100-NVL-94GB = H100-94GB-NVL; NVIDIA H200-NVL-141GB = H200-141GB-NVL
        NVIDIA B200-SXM-180GB = B200-192GB-SXM; NVIDIA B300-SXM-270GB = B300-288GB-SXM; NVIDIA A100-SXM-80GB = A100-80GB-SXM
        NVIDIA GH200-GraceHopper-Superchip-96GB = GH200-96GB; NVIDIA GH200-GraceHopper-Superchip-144GB = GH200-144GB
        NVIDIA GH200 Grace Hopper Superchip 144GB = GH200-144GB; NVIDIA GB200 NVL72 = GB200-192GB
        AMD Instinct MI300X-192GB-750W = MI300X-192GB; AMD Instinct MI325X 256GB HBM3E = MI325X-256GB
        AMD Instinct MI355X 288GB HBM3E = MI355X-288GB; AMD Instinct MI350X = MI350X-288GB
        NVIDIA A100-PCIe-80GB = A100-80GB-PCIe
        NVIDIA L40S = L40S; NVIDIA L4 = L4; AMD Instinct MI325X-256GB-1000W = MI325X-256GB
        NVIDIA GB300-279GB = GB300-288GB""",
    "clouds": """
        p4d.24xlarge = A100-40GB-SXM; p4de.24xlarge = A100-80GB-SXM; p5.48xlarge = H100-80GB-SXM
        p5en.48xlarge = H200-141GB-SXM
        p6-b200.48xlarge = B200-192GB-SXM; g4dn.xlarge = T4; g5.12xlarge = A10G; g6.xlarge = L4; g6e.48xlarge = L40S
        nvidia-tesla-t4 = T4; nvidia-l4 = L4; nvidia-h100-80gb = H100-80GB-SXM; nvidia-h100-mega-80gb = H100-80GB-SXM
        nvidia-a100-80gb = A100-80GB-SXM; nvidia-h200-141gb = H200-141GB-SXM; nvidia-b200 = B200-192GB-SXM
        a2-highgpu-8g = A100-40GB-SXM; a2-ultragpu-1g = A100-80GB-SXM; a3-highgpu-8g = H100-80GB-SXM; g2-standard-4 = L4
        Standard_NC24ads_A100_v4 = A100-80GB-PCIe; Standard_ND96amsr_A100_v4 = A100-80GB-SXM
        Standard_ND96asr_v4 = A100-40GB-SXM
        Standard_NC40ads_H100_v5 = H100-94GB-NVL; Standard_ND96isr_H100_v5 = H100-80GB-SXM; Standard_NC4as_T4_v3 = T4
        Standard_ND96isr_MI300X_v5 = MI300X-192GB; Standard_NC6s_v3 = V100-16GB-PCIe
        Standard_ND96isr_H200_v5 = H200-141GB-SXM
        H100 SXM5 (80GB) = H100-80GB-SXM; A100 SXM4 80 GB = A100-80GB-SXM; RTX A6000 (48 GB) = RTX-A6000""",
    "people": """
        h100 = H100-80GB-SXM; H100 SXM5 = H100-80GB-SXM; H100-SXM5-80GB = H100-80GB-SXM; h100_pcie = H100-80GB-PCIe
        H100 80GB HBM2e = H100-80GB-PCIe; H100 80GB SXM5 HBM3 700W = H100-80GB-SXM; H100 80GB PCIe Gen5 = H100-80GB-PCIe
        H100 350W = H100-80GB-PCIe; NVIDIA H100 Tensor Core GPU = H100-80GB-SXM; HGX H100 = H100-80GB-SXM
        DGX H200 = H200-141GB-SXM; H200 141GB HBM3 = H200-141GB-SXM; H200 141GB HBM3e = H200-141GB-SXM
        H200-141G = H200-141GB-SXM
        H200 SXM5 141GB = H200-141GB-SXM; GB200 NVL4 = GB200-192GB; GB300 NVL72 = GB300-288GB
        B200 180GB HBM3e = B200-192GB-SXM
        A100 80G = A100-80GB-SXM; A100 40 GB = A100-40GB-SXM; A100-80G-PCIe = A100-80GB-PCIe
        A100 PCIe 40GB 250W = A100-40GB-PCIe
        A100 (PCIe, 80 GB) = A100-80GB-PCIe; A100 400W 80GB = A100-80GB-SXM; V100 32GB = V100-32GB-SXM
        V100S = V100S-32GB-PCIe
        MI300X 192GB HBM3 = MI300X-192GB; mi300x = MI300X-192GB; MI250X GCD = MI250X-64GB-GCD; MI50 32GB = MI50-32GB
        RTX3060 12G = RTX-3060; 3060 12GB = RTX-3060; rtx-4060ti-16gb = RTX-4060-Ti-16GB; RTX 4060 Ti 16GB = RTX-4060-Ti-16GB
        4060 Ti 8GB = RTX-4060-Ti-8GB; RTX 3080 = RTX-3080; RTX 3080 10GB = RTX-3080; RTX 3080 12GB = RTX-3080-12GB
        RTX 3090 24GB GDDR6X = RTX-3090; 3090Ti = RTX-3090-Ti; rtx 4080s = RTX-4080-Super; 4070S = RTX-4070-Super
        4090 24GB = RTX-4090; GeForce 4090 = RTX-4090; RTX 4090 450W = RTX-4090; RTX 4090 (350W) = RTX-4090; 5090 = RTX-5090
        RTX 5060 Ti 16GB = RTX-5060-Ti-16GB; 1080Ti = GTX-1080-Ti; GTX 1080 = GTX-1080; Titan RTX 24GB = TITAN-RTX
        2080 Ti 11GB = RTX-2080-Ti; RTX 2060 12GB = RTX-2060-12GB; RTX 2060 = RTX-2060; P40 24GB = P40
        RTX 8000 = Quadro-RTX-8000
        Quadro RTX A6000 = RTX-A6000; A6000 48GB = RTX-A6000; RTX 6000 Ada 48GB = RTX-6000-Ada; RTX 4000 Ada = RTX-4000-Ada
        7900 XTX = RX-7900-XTX; 7900XTX 24GB = RX-7900-XTX; RX 6800 XT = RX-6800-XT; W7900 = Radeon-PRO-W7900
        DGX Spark = GB10; GB10 128GB = GB10; Ryzen AI Max+ 395 = Radeon-8060S; Strix Halo = Radeon-8060S
        RTX PRO 4500 = RTX-PRO-4500
        L40S-48GB-350W = L40S; L4 72W = L4; T4 16GB = T4; A40 PCIe 48GB = A40; MI355X 288GB = MI355X-288GB""",
}
SEVERAL = {
    "A100": 4, "NVIDIA A100": 4, "A100 PCIe": 2, "A100 SXM4": 2, "DGX A100": 2, "V100": 4, "Tesla V100": 4, "V100 SXM2": 2,
    "V100 PCIe": 2, "P100": 2, "nvidia-tesla-a100": 4, "RTX 4060 Ti": 2, "NVIDIA GeForce RTX 4060 Ti": 2, "RTX 5060 Ti": 2,
    "RTX PRO 6000": 3, "RTX PRO 6000 96GB": 3, "RTX PRO 5000": 2, "RTX A2000": 2, "MI50": 2,
}
NONE = (
    "", "GPU", "80GB", "H100 96GB", "H100 40GB", "H100 SXM4", "H100 1000W", "H100 CNX", "H800 PCIe",
    "H20 141GB", "H20e", "H100 MIG 1g.10gb", "NVIDIA A100-SXM4-80GB MIG 3g.40gb", "A100 64GB", "A100 SXM5", "A100 16GB",
    "A100X", "A10M", "NVIDIA A10-24Q", "GRID T4-16Q", "V100 64GB", "Tesla V100-SXM3-32GB", "V100-SXM2-80GB", "T4 32GB", "T4G",
    "L2", "A4", "RTX 6000", "RTX 6000 24GB", "RTX 5000", "RTX 4000", "RTX A3000", "RTX 3060 8GB", "RTX 3060 Laptop",
    "RTX 4090 Laptop GPU", "NVIDIA GeForce RTX 4090 Laptop GPU", "RTX 4090 48GB", "RTX 3090 12GB", "RTX 2080 Ti 22GB",
    "RTX 4070 Ti 16GB", "RTX 5090 D", "RTX 3080 20GB", "RTX 4080 12GB", "GTX 1060", "Titan X", "MI300X 128GB", "MI300X PCIe",
    "MI308X", "MI25", "MI300X 2000W", "RX 7600", "RX 7900", "RX 7900 XTX 48GB", "Radeon VII",
    "Navi 31 [Radeon RX 7900 XT/7900 XTX]", "B100", "GB200 SXM", "GB200 80GB", "GH200 80GB", "H200 80GB", "H200 PCIe",
    "B200 141GB", "L40S 24GB", "A40 24GB", "A6000 24GB", "TPU v5e", "Gaudi 2", "Trainium", "Arc A770",
    "M2 Ultra 76-core 48GB", "p2.xlarge", "Standard_NV36ads_A10_v5",
)  # fmt: skip


def told(name: str) -> set[str]:
    return {gpu.id for gpu in gpus_named(name)}


@pytest.mark.parametrize("source", ONE)
def test_a_name_as_it_is_printed_or_written_is_its_card(source):
    pairs = [pair.partition(" = ") for line in ONE[source].strip().splitlines() for pair in line.split(";")]
    expected = {name.strip(): {card.strip()} - {""} for name, _, card in pairs}
    assert {name: told(name) for name in expected} == expected


def test_the_table_is_as_long_as_it_has_to_be():
    assert sum(text.count(" = ") for text in ONE.values()) + len(SEVERAL) + len(NONE) > 300


@every_row("name", SEVERAL)
def test_a_name_that_leaves_several_open_is_an_error_that_names_them(name):
    assert len(told(name)) == SEVERAL[name]
    with pytest.raises(ScenarioError, match=r"it may be .* or .*; name one"):
        find_gpu(name)


@every_row("name", NONE)
def test_a_name_of_another_card_or_with_what_contradicts_the_card_is_refused(name):
    """A memory that the card has not, a board that it is not sold on, more watts than it takes, a word that is of another."""
    assert told(name) == set()
    with pytest.raises(UnknownName):
        find_gpu(name)


def test_a_card_and_its_count_in_one_are_told_apart():
    """With where the count belongs, where the asker has a place for it; MI300X ends in no count, and 4x4090 is four."""
    for name in ("8xH100", "8 x NVIDIA H100 80GB HBM3", "H100 x8", "H100:8", "h100 8x"):
        with pytest.raises(ScenarioError, match=r"is not usable; write H100-80GB-SXM alone, and 8 as --gpus$"):
            find_gpu(name, "--gpu", "--gpus")
    with pytest.raises(ScenarioError, match=r"write RTX-4090 alone$"):
        find_gpu("4x4090")
    assert find_gpu("MI300X").id == "MI300X-192GB"
    with pytest.raises(UnknownName):
        find_gpu("8x brick")


def test_what_a_name_says_is_taken_apart():
    read = read_name("NVIDIA H100-SXM5-80GB HBM3 (700W)")
    assert (read.core, read.sizes, read.board, read.memory, read.watts) == ("h100", ((80.0, "gb"),), "sxm", "hbm3", 700.0)
    assert read_name("GeForce RTX 4090 Laptop GPU").core == "rtx4090laptop"


def test_every_card_is_found_by_its_id_with_what_its_name_may_say_beside():
    """Its own memory and power, in the words of a table; where that leaves the edition open, it is among those named."""
    for gpu in load_gpus():
        assert gpu in gpus_named(f"{gpu.id} {gpu.power_w:.0f}W"), gpu.id
        assert not gpus_named(f"{gpu.id} {4.0 * gpu.power_w:.0f}W"), gpu.id
        assert not gpus_named(f"{gpu.id} 7GB"), gpu.id
        assert not gpus_named(f"{gpu.id} Laptop"), gpu.id
