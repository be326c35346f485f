"""A user's own GPUs: read beside the catalog's, and refused with file, field and value where they are none."""

import json
import sys

import pytest

from roi.catalog.cards import gpus
from roi.errors import InputError

CARD = {
    "id": "Our-96GB", "aliases": ["ours"], "memory_bytes": 1e11, "bandwidth_bytes_per_s": 2e12, "fp32_flops": 1e14,
    "fp16_flops": 4e14, "link_bytes_per_s": 6e10, "l2_bytes": 1e8, "power_w": 600, "year": 2026, "source": "its sheet",
    "date": "2026-11-01",
}  # fmt: skip
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="XDG_DATA_HOME names the data folder on Linux alone")


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (tmp_path / "roi").mkdir()
    return tmp_path / "roi" / "gpus.json"


def test_an_own_gpu_is_found_beside_the_catalogs(file):
    known = len(gpus.load_gpus())
    file.write_text(json.dumps({"gpus": [CARD]}))
    assert gpus.find_gpu("ours").id == "Our-96GB"
    assert gpus.find_gpu("H100").memory_bytes > 8e10
    assert len(gpus.load_gpus()) == known + 1
    file.write_text(json.dumps({"gpus": [{**CARD, "power_w": 6000}]}))
    assert gpus.find_gpu("ours").power_w == 6000
    file.unlink()
    assert len(gpus.load_gpus()) == known


@pytest.mark.parametrize(("text", "message"), [
    ("{", "file: '{' is not usable; Invalid JSON"),
    ("[]", "it should be an object"),
    (json.dumps({"gpus": [{**CARD, "memory_bytes": -1}]}),
     r"gpus.0.memory_bytes: '-1' is not usable; it should be greater than 0"),
    (json.dumps({"gpus": [{**CARD, "memory_bytes": 96}]}), r"gpus.0.memory_bytes: 96 is not usable; in bytes, bytes/s"),
    (json.dumps({"gpus": [{**CARD, "fp16_flops": 400}]}), r"gpus.0.fp16_flops: 400 is not usable"),
    (json.dumps({"gpus": [{**CARD, "l2_bytes": 96}]}), r"gpus.0.l2_bytes: 96 is not usable; .* at least 100000 "),
    (json.dumps({"gpus": [{**CARD, "vram": 96}]}), r"gpus.0.vram: '96' is not usable; Extra inputs are not permitted"),
    (json.dumps({"gpus": [{**CARD, "aliases": ["H100-80GB-SXM"]}]}), "there is a GPU of the name 'H100-80GB-SXM' already"),
    (json.dumps({"gpus": [CARD]}).replace('"power_w": 600', '"power_w": 300, "power_w": 600'), "'power_w' is given twice"),
    (json.dumps({"gpus": [CARD, CARD]}), "there is a GPU of the name 'Our-96GB' already"),
])
def test_what_is_no_gpu_is_named_with_its_file(file, text, message):
    file.write_text(text)
    with pytest.raises(InputError, match=rf"^your GPUs: .*gpus.json.*{message}"):
        gpus.find_gpu("H100")
