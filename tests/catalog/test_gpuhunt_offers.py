"""gpuhunt's offers as rents of the catalog.

tests/data/prices/gpuhunt_offers.csv has the columns of gpuhunt's catalogs. Its offers are those that dstack printed from them
in its documents and issues (Verda, RunPod, Nebius; issues 1355 and 1886), and instances of AWS, Azure and Lambda at the list
price of their region; cores and memory of the latter, and Nebius' name of the L40S, were written by hand.
"""

import csv
import io
import zipfile
from collections import defaultdict
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest
from long_tables import every_row

from roi.catalog.prices.gpuhunt_offers import as_rentals, card_of, fetch_items
from roi.errors import MissingExtra, RoiError

DAY = date(2026, 11, 26)
RECORDED = Path(__file__).parents[1] / "data" / "prices" / "gpuhunt_offers.csv"


def recorded():
    """The rows as gpuhunt gives them."""
    for row in csv.DictReader(RECORDED.read_text().splitlines()):
        yield SimpleNamespace(
            provider=row["provider"], instance_name=row["instance_name"], location=row["location"], price=float(row["price"]),
            gpu_count=int(row["gpu_count"]), gpu_name=row["gpu_name"], gpu_memory=float(row["gpu_memory"]),
            spot=row["spot"] == "True", provider_data={})


def test_recorded_offers_become_rents_of_the_catalogs_cards():
    """p5.48xlarge: 55.04 / 8 = 6.88; a2-ultragpu-8g, spot: 14.8451 / 8 = 1.855638 in the cheapest of three regions."""
    rents, left_out = as_rentals(recorded(), DAY, "gpuhunt")
    assert left_out == {}
    assert {(o.gpu, o.vendor, o.kind.value, o.gpus_per_instance): o.usd_per_gpu_hour for o in rents} == {
        ("H100-80GB-SXM", "Verda", "on-demand", 1): 2.19, ("H100-80GB-PCIe", "RunPod", "on-demand", 1): 2.39,
        ("H100-80GB-SXM", "RunPod", "on-demand", 1): 2.69, ("RTX-A6000", "RunPod", "on-demand", 2): 0.49,
        ("MI300X-192GB", "RunPod", "on-demand", 1): 2.49, ("H100-80GB-SXM", "Nebius", "on-demand", 1): 2.95,
        ("L40S", "Nebius", "on-demand", 1): 1.5484, ("A100-80GB-SXM", "GCP", "spot", 8): 1.855638,
        ("H100-80GB-SXM", "AWS", "on-demand", 8): 6.88, ("A100-40GB-SXM", "AWS", "on-demand", 8): 2.744705,
        ("A100-80GB-PCIe", "Azure", "on-demand", 1): 3.673, ("H100-94GB-NVL", "Azure", "on-demand", 1): 6.98,
        ("H100-80GB-PCIe", "Lambda", "on-demand", 1): 3.29, ("H100-80GB-SXM", "Lambda", "on-demand", 8): 3.99,
    }
    runpod = next(o for o in rents if (o.gpu, o.vendor) == ("H100-80GB-SXM", "RunPod"))
    assert runpod.note == "NVIDIA H100 80GB HBM3 in CA, the lowest of 3 offers up to 2.99"
    assert (runpod.date, runpod.minimum_months) == (DAY, 0)


@every_row("instance, name, gb, card", [
    ("g5.xlarge", "A10G", 24, "A10G"), ("g6e.12xlarge", "L40S", 48, "L40S"), ("p4de.24xlarge", "A100", 80, "A100-80GB-SXM"),
    ("Standard_ND96asr_v4", "A100", 40, "A100-40GB-SXM"), ("Standard_NC8as_T4_v3", "T4", 16, "T4"),
    ("BM.GPU.H100.8", "H100", 80, "H100-80GB-SXM"), ("BM.GPU.GB200.4", "GB200", 186, "GB200-192GB"),
    ("a3-ultragpu-8g", "H200", 141, "H200-141GB-SXM"), ("a4-highgpu-8g", "B200", 180, "B200-192GB-SXM"),
    ("NVIDIA B300 SXM6 AC", "B300", 270, "B300-288GB-SXM"), ("NVIDIA A100 80GB PCIe", "A100", 80, "A100-80GB-PCIe"),
    ("NVIDIA A100-SXM4-80GB", "A100", 80, "A100-80GB-SXM"), ("NVIDIA GeForce RTX 4090", "RTX4090", 24, "RTX-4090"),
    ("NVIDIA RTX 6000 Ada Generation", "RTX6000Ada", 48, "RTX-6000-Ada"), ("NVIDIA H200 NVL", "H200NVL", 141, "H200-141GB-NVL"),
    ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTXPRO6000", 96, "RTX-PRO-6000-SE"),
    ("g6f.large", "L4", 3, None),  # an eighth of an L4
    ("Tesla V100-PCIE-16GB", "V100", 16, "V100-16GB-PCIe"),
    ("1RTXPRO6000.30V", "RTXPRO6000", 96, None),  # one of three cards of that name
    ("n1-standard-8", "P100", 16, None), ("ct6e-standard-1t", "v6e", 0, None),
])
def test_a_card_is_told_from_the_instance_the_name_and_the_memory(instance, name, gb, card):
    found = card_of(instance, name, float(gb))
    assert (found.id if found else None) == card


def test_what_is_left_out_is_counted_by_name():
    """By hand: two offers of a card that the catalog lacks, a cluster, a vendor that is not asked, an offer that is free."""
    def item(**fields):
        return SimpleNamespace(**{"provider": "runpod", "instance_name": "i", "location": "l", "price": 1.0, "gpu_count": 1,
                                  "gpu_name": "L4", "gpu_memory": 24.0, "spot": False, "provider_data": {}, **fields})
    items = [item(gpu_name="P100", gpu_memory=16.0)] * 2 + [
        item(provider_data={"pod_counts": [2, 3]}), item(provider="vastai"), item(price=0.0), item()]
    rents, left_out = as_rentals(items, DAY, "s")
    assert len(rents) == 1
    assert left_out == {"P100 16 GB": 2, "runpod, clusters": 1, "vastai": 1, "L4 without a price": 1}


def test_without_the_extra_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gpuhunt", None)
    with pytest.raises(MissingExtra, match=r"this needs gpuhunt: pip install 'lora-roi\[prices\]'"):
        fetch_items()


def test_gpuhunt_itself_brings_the_recorded_catalogs(tmp_path, monkeypatch):
    """The package loads catalogs from files in place of its own address: a zip of a CSV for each vendor."""
    pytest.importorskip("gpuhunt", reason="the extra `prices` is not installed")
    by_vendor = defaultdict(list)
    for row in csv.DictReader(RECORDED.read_text().splitlines()):
        by_vendor[row.pop("provider")].append(row)
    for vendor, rows in by_vendor.items():
        place = tmp_path / vendor / "20261126"
        place.mkdir(parents=True)
        (tmp_path / vendor / "version").write_text("20261126\n")
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        with zipfile.ZipFile(place / "catalog.zip", "w") as packed:
            packed.writestr(f"{vendor}.csv", text.getvalue())
    monkeypatch.setenv("GPUHUNT_CATALOG_URL", tmp_path.as_uri())
    assert set(as_rentals(fetch_items(), DAY, "s")[0]) == set(as_rentals(recorded(), DAY, "s")[0])
    monkeypatch.setenv("GPUHUNT_CATALOG_URL", (tmp_path / "none").as_uri())
    with pytest.raises(RoiError, match=r"gpuhunt brought no GPU offers \(.*\); nothing was written"):
        fetch_items()
