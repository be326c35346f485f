"""Replays that are kept on disk: found again to the last bit, passed over where they are damaged, and never in an answer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model
from roi.estimate.replay.load_curve import Capacity, PlanCapacity, Slo
from roi.resolution.plan_capacity import ServingPlan, published_server
from roi.resolution.request_lengths import SystemLengths
from roi.store import cache_files, replays
from roi.store.replays import KeptReplays

LENGTHS = SystemLengths(np.array([900.0]), np.array([0.0]), np.array([90.0]), np.array([1.0]), 0.0)
PLAN = ServingPlan(find_model("qwen3-8b"), find_gpu("L40S"), 1, "fp8", "bf16")
INPUTS = (PLAN, LENGTHS, published_server(PLAN, LENGTHS), Slo(2.0, 0.05), (0.8, 1.0, 1.25), 2e9)
AMOUNTS = st.floats(0.0, 1e12)
BINDING = st.sampled_from(["TTFT", "TPOT", "KV memory", "saturation"])
CAPACITIES = st.builds(Capacity, AMOUNTS, BINDING, st.integers(0, 60), AMOUNTS)
HELD = PlanCapacity(*(Capacity(1.0 / 3.0, "TTFT", 7, 12.5),) * 3, 1.1, 1.2, 1.3)


@pytest.mark.full
@given(st.builds(PlanCapacity, CAPACITIES, CAPACITIES, CAPACITIES, AMOUNTS, AMOUNTS, AMOUNTS))
def test_what_is_kept_is_found_to_the_last_bit(tmp_path_factory: pytest.TempPathFactory, capacity: PlanCapacity) -> None:
    kept = KeptReplays(tmp_path_factory.mktemp("cache") / "replays")
    assert kept.find(*INPUTS) is None
    kept.keep(capacity, *INPUTS)
    assert kept.find(*INPUTS) == capacity


def test_another_input_or_another_source_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each input moved by the least that a float can say."""
    kept = KeptReplays(tmp_path)
    kept.keep(HELD, *INPUTS)
    plan, lengths, server, slo, speeds, unsure = INPUTS
    nearest = float(np.nextafter(900.0, 901.0))
    others = (
        (replace(plan, adapters=1), *INPUTS[1:]),
        (plan, replace(lengths, prompt_tokens=np.array([nearest])), server, slo, speeds, unsure),
        (plan, lengths, replace(server, kv_capacity=float(np.nextafter(server.kv_capacity, 0.0))), slo, speeds, unsure),
        (plan, lengths, server, Slo(2.0, float(np.nextafter(0.05, 1.0))), speeds, unsure),
        (plan, lengths, server, slo, (0.8, 1.0, float(np.nextafter(1.25, 2.0))), unsure),
        (plan, lengths, server, slo, speeds, float(np.nextafter(unsure, 0.0))),
    )
    assert [kept.find(*other) for other in others] == [None] * len(others)
    monkeypatch.setattr(replays, "program_once", lambda: "another")
    assert kept.find(*INPUTS) is None


def test_a_program_that_changed_after_it_was_imported_finds_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before its first replay, when the digest is taken, and after it."""
    kept = KeptReplays(tmp_path / "replays")
    for changed_first in (True, False):
        replays.program_once.cache_clear()
        with monkeypatch.context() as patch:
            if not changed_first:
                assert kept.find(*INPUTS) is None  # the digest is taken here
            patch.setattr(cache_files, "IMPORTED_AT", 0.0)
            assert kept.find(*INPUTS) is None
            kept.keep(HELD, *INPUTS)
        assert not kept.folder.exists()
    replays.program_once.cache_clear()


def test_a_damaged_or_foreign_file_is_passed_over_and_written_anew(tmp_path: Path) -> None:
    kept = KeptReplays(tmp_path)
    kept.keep(HELD, *INPUTS)
    (path,) = tmp_path.iterdir()
    whole = path.read_text(encoding="utf-8")
    another, undigested = whole.replace("1.1", "1.2").encode(), whole.partition("\n")[2].encode()
    for damaged in (another, undigested, b"", whole.encode()[:100], b"\x80\x04K\x01.", b"[" * 4000, b"{}", b" " * 5000, b"\0"):
        path.write_bytes(damaged)
        assert kept.find(*INPUTS) is None, damaged[:20]
    kept.keep(HELD, *INPUTS)
    assert kept.find(*INPUTS) == HELD


def test_a_link_is_neither_followed_nor_replaced(tmp_path: Path) -> None:
    kept, own = KeptReplays(tmp_path / "replays"), tmp_path / "own.txt"
    kept.keep(HELD, *INPUTS)
    (path,) = kept.folder.iterdir()
    own.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(own)
    assert kept.find(*INPUTS) is None
    kept.keep(replace(HELD, pooling=9.0), *INPUTS)
    assert path.is_symlink()
    assert '"pooling": 1.1' in own.read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_made_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = KeptReplays(tmp_path / "file" / "replays")
    kept.keep(HELD, *INPUTS)
    assert kept.find(*INPUTS) is None


def test_the_folder_stays_within_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 5 files where 4 may lie, the older half goes: 3 stay."""
    monkeypatch.setattr(replays, "MOST_FILES", 4)
    kept = KeptReplays(tmp_path)
    for speed in range(1, 6):
        kept.keep(HELD, *INPUTS[:-1], (0.5, 1.0, 1.0 + speed))
    assert len(list(tmp_path.glob("*.json"))) == 3
    assert kept.find(*INPUTS[:-1], (0.5, 1.0, 6.0)) == HELD


def test_what_a_killed_run_left_in_the_cache_is_swept_when_the_next_keeps_something(tmp_path: Path) -> None:
    (tmp_path / ".roi-00000000.part").write_text("half", encoding="utf-8")
    kept = KeptReplays(tmp_path)
    assert kept.find(*INPUTS) is None
    kept.keep(HELD, *INPUTS)
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]
