"""The profiles that come with roi, and what docs/guides/contribute-a-profile.md promises of them."""

import json
import re
from pathlib import Path

import pytest

from roi.facts.environment import Environment
from roi.store.profiles.folders import profile_place
from roi.store.profiles.loading import load_profiles

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "profiles").rglob("*.json"))
GUIDE = (ROOT / "docs" / "guides" / "contribute-a-profile.md").read_text()
PRIVATE = re.compile(r"^(/|~|[A-Za-z]:\\\\)|/home/|/Users/|\\\\Users\\\\|@|\b(GPU|MIG)-[0-9a-f]{8}-|\b\d{1,3}(\.\d{1,3}){3}\b|://")
"""Absolute paths, home folders, user@host, UUIDs of boards, addresses."""


def texts(value):
    """Every text in a document, keys left out."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


def test_every_shipped_profile_is_read_and_lies_in_its_place():
    store = load_profiles([ROOT / "profiles"])
    assert store.damaged == ()
    assert len(store.profiles) == len(FILES) > 0
    for stored in store.profiles:
        place = profile_place(stored.profile)
        assert stored.path.parent == ROOT / "profiles" / place.parent
        assert re.fullmatch(rf"{re.escape(place.stem)}(-\d+)?\.json", stored.path.name)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_no_shipped_profile_says_where_it_was_made(file):
    assert [text for text in texts(json.loads(file.read_text())) if PRIVATE.search(text)] == []


@pytest.mark.parametrize(("text", "private"), [
    ("/opt/models/llama", True), ("~/llama", True), ("C:\\\\models", True), ("me@box", True), ("http://10.0.0.1:8000", True),
    ("GPU-11111111-2222-3333-4444-555555555555", True), ("see /home/me/x", True),
    ("llama-3.1-8b", False), ("NVIDIA H100 80GB HBM3", False), ("580.159.04", False), ("2.13.0+cu130", False),
    ("aten.mm", False), ("model.layers.N.mlp", False), ("meta-llama/Llama-3.1-8B", False),
])
def test_what_counts_as_private(text, private):
    assert bool(PRIVATE.search(text)) == private


def test_the_guide_names_what_an_environment_holds():
    words = {
        "gpu_name": "card's name", "driver": "driver", "cuda": "CUDA", "cudnn": "cuDNN", "capability": "compute capability",
        "attention": "attention kernel", "allocator": "allocator settings", "tf32": "TF32", "mig": "MIG", "ecc": "ECC",
        "slowed": "held the clocks down", "probe": "the probe", "cores": "cores", "load_average": "load of the host",
        "versions": "versions of Python",
    }
    assert set(words) <= set(Environment.model_fields)
    plain = " ".join(GUIDE.split())
    assert [word for word in words.values() if word not in plain] == []
    assert not {"host", "hostname", "user", "path", "uuid", "serial"} & set(Environment.model_fields)
