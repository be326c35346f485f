"""A GPU through NVML, in every scene of a simulated board: what it says, whose processes run there, its power and clocks."""

import os
import sys
from types import SimpleNamespace

import pytest

pytest.importorskip("torch", reason="the extra `profile` is not installed")

from fake_card.cuda import simulated_machine
from fake_card.nvml import TOTAL, UUID, nvml_scene

from roi.errors import InputError, RoiError
from roi.profiling import board as board_module
from roi.profiling import session as session_module
from roi.profiling.board import NO_DRAW, Board, PowerMeter, look_before_torch, no_driver, open_board
from roi.profiling.session import claim_board, pick_device, read_environment, unusable_gpu

UNKNOWN = "power, process memory and other users of the GPU are not known"


@pytest.fixture(autouse=True)
def _nobody_looked(monkeypatch):
    monkeypatch.setattr(board_module, "_BEFORE_TORCH", {})


@pytest.mark.parametrize(("scene", "said"), [
    ("vm", ()), ("container", ()), ("hidden", ()), ("unsupported", ()), ("mismatch", ()), ("no_process_memory", ()),
    ("lost_neighbour", ()), ("no_energy", ()),
    ("mig", ("a slice of a card (MIG): power and clocks are the whole card's, and left out",)),
    ("no_library", (f"NVML does not answer: NVML Shared Library Not Found: {UNKNOWN}",)),
    ("old_driver", (f"NVML does not answer: RM has detected an NVML/RM version mismatch.: {UNKNOWN}",)),
])
def test_every_scene_gives_a_board_or_says_why_not(scene, said):
    with simulated_machine(scene):
        board, notes = claim_board("cuda")
        assert notes == said
        assert (board is None) == (scene in {"no_library", "old_driver"})


def test_a_board_that_others_use_is_refused_by_name():
    with simulated_machine("busy"), pytest.raises(InputError, match=r"used by process 4242 \(3.1 GiB\).*or --force"):
        claim_board("cuda")
    with simulated_machine("busy"):
        board, notes = claim_board("cuda", force=True)
    assert (board is not None, notes) == (True, ("the GPU was shared with process 4242 (3.1 GiB)",))


def test_a_context_that_an_import_opened_is_no_other_user():
    """In a container our process goes by the host's number: seen before torch, it would be another; seen after, it is ours."""
    with simulated_machine("context_first", opened=True):
        board, notes = claim_board("cuda")  # nobody looked before torch, and torch has a context
        assert (board.others(opened=True), notes) == ([], ())
        assert board.others() == ["process 987654 (1.7 GiB)"]
    with nvml_scene("container") as nvml:
        look_before_torch()
        nvml.open()
        assert open_board(UUID).others() == []
        assert open_board(UUID).process_bytes() == 1_800_000_000


def test_a_board_that_fell_off_the_bus_hides_no_other():
    with nvml_scene("lost_neighbour") as nvml:
        look_before_torch()
        assert UUID in board_module._BEFORE_TORCH
        assert open_board(f"GPU-{UUID}").used_bytes() == 1_800_000_000
        nvml.lost = True
        board = open_board(UUID)
        assert (board.used_bytes(), board.power_w(), board.process_bytes(), board.slowed()) == (None, None, None, 0)


def test_no_nvml_is_no_reason_to_stop_before_torch(monkeypatch):
    with nvml_scene("no_library"):
        look_before_torch()
    assert board_module._BEFORE_TORCH == {}
    with nvml_scene(), pytest.raises(RoiError, match="NVML lists no GPU 1-2"):
        open_board("1-2")
    monkeypatch.setitem(board_module.import_module.__globals__["sys"].modules, "pynvml", None)
    with pytest.raises(RoiError, match="nvidia-ml-py"):
        open_board(UUID)


def test_what_the_driver_keeps_is_not_in_use():
    """2.4 GB are taken, 0.6 GB of them by the driver; an older NVML does not tell the two apart."""
    with nvml_scene() as nvml:
        board = open_board(UUID)
        assert board.used_bytes() == 1_800_000_000
        assert nvml.nvmlDeviceGetMemoryInfo("board").free == TOTAL - 2_400_000_000
        del nvml.nvmlMemory_v2
        assert board.used_bytes() == 2_400_000_000


def watched(scene, seconds, monkeypatch, slowed=0):
    """The draw of a window of so many seconds by the meter's clock."""
    with nvml_scene(scene) as nvml:
        nvml.throttle = slowed
        clock = iter([100.0, 100.0 + seconds])
        meter = PowerMeter(open_board(UUID))
        monkeypatch.setattr(board_module, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
        joules = iter([1_000_000, 1_700_000])
        if scene == "vm":
            monkeypatch.setattr(nvml, "nvmlDeviceGetTotalEnergyConsumption", lambda _: next(joules), raising=False)
        meter.start()
        return meter.stop()


def test_energy_is_the_counters_difference_or_power_over_time(monkeypatch):
    """700 J in 2 s are 350 W; without a counter 350 W for 2 s are 700 J; in half a second neither is known, clocks are."""
    draw = watched("vm", 2.0, monkeypatch)
    assert (draw.energy_j, draw.power_w) == (700.0, 350.0)
    assert (draw.sm_clock_hz, draw.memory_clock_hz, draw.slowed) == (1.98e9, 2.619e9, ())
    draw = watched("no_energy", 2.0, monkeypatch)
    assert (draw.energy_j, draw.power_w) == (700.0, 350.0)
    draw = watched("vm", 0.5, monkeypatch, slowed=0x4 | 0x40 | 0x1)
    assert (draw.energy_j, draw.power_w, draw.sm_clock_hz) == (None, None, 1.98e9)
    assert draw.slowed == ("power limit", "temperature (hardware)")
    assert PowerMeter(None).stop() == NO_DRAW


def test_other_processes_are_named_and_ours_is_found_in_a_container_too(monkeypatch):
    processes = [SimpleNamespace(pid=4242, usedGpuMemory=3 * 2**30), SimpleNamespace(pid=os.getpid(), usedGpuMemory=1)]
    with nvml_scene() as nvml:
        monkeypatch.setattr(nvml, "nvmlDeviceGetComputeRunningProcesses", lambda _: processes, raising=False)
        board = open_board(UUID)
        assert board.others() == ["process 4242 (3.0 GiB)"]
        assert board.process_bytes() == 1.0
        processes = []
        board = open_board(UUID)
        assert board.others() == []
        processes = [SimpleNamespace(pid=77, usedGpuMemory=5)]  # our process under the host's number
        assert board.process_bytes() == 5.0
        processes.append(SimpleNamespace(pid=78, usedGpuMemory=6))
        assert board.process_bytes() is None


def test_what_a_profile_says_of_the_card_it_ran_on(monkeypatch):
    monkeypatch.setenv("PYTORCH_ALLOC_CONF", "expandable_segments:True")
    with simulated_machine():
        board, _ = claim_board("cuda")
        found = read_environment("cuda", 0, board)
    assert (found.gpu, found.driver, found.cuda, found.power_limit_w) == ("H100-80GB-SXM", "580.159.04", "13.0", 700.0)
    assert (found.capability, found.cudnn, found.attention) == ((9, 0), "91800", "cudnn")
    assert (found.allocator, found.tf32, found.ecc, found.mig) == ("expandable_segments:True", False, True, False)
    with simulated_machine("mig"):
        board, _ = claim_board("cuda")
        found = read_environment("cuda", 0, board)
    assert (found.mig, found.power_limit_w) == (True, None)
    with simulated_machine("old_driver", cudnn=None, capability=(7, 5)):
        found = read_environment("cuda", 0, None)
    assert (found.driver, found.attention, found.cudnn) == (None, "efficient", None)


def test_errors_of_memory_are_said(monkeypatch):
    with simulated_machine() as (nvml, _):
        monkeypatch.setattr(nvml, "nvmlDeviceGetTotalEccErrors", lambda *_: 3, raising=False)
        assert claim_board("cuda")[1] == ("the GPU's memory has had 3 errors that were not corrected",)


def test_a_gpu_that_torch_cannot_use_is_said_and_the_cpu_is_no_silent_answer(monkeypatch, tmp_path):
    assert unusable_gpu(tmp_path) is None
    assert no_driver(tmp_path) == (sys.platform != "win32")
    (tmp_path / "nvidia0").write_text("")
    assert no_driver(tmp_path) == (sys.platform == "darwin")
    monkeypatch.setattr(session_module.torch.version, "cuda", None)
    assert unusable_gpu(tmp_path).endswith("is built for the CPU")
    monkeypatch.setattr(session_module.torch.version, "cuda", "13.0")

    def broken():
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).\nPlease update")

    monkeypatch.setattr(session_module.torch.cuda, "init", broken)
    why = unusable_gpu(tmp_path)
    assert why == "The NVIDIA driver on your system is too old (found version 11040)."
    monkeypatch.setattr(session_module.torch.cuda, "init", lambda: None)
    assert unusable_gpu(tmp_path) == "it lists no device"
    monkeypatch.setattr(session_module.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(session_module, "unusable_gpu", lambda: why)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(InputError, match=r"torch cannot use it: The NVIDIA driver .* too old .*or --device cpu"):
        pick_device(None)
    with pytest.raises(InputError, match=r"sees no GPU \(The NVIDIA driver"):
        pick_device("cuda")
    assert pick_device("cpu") == "cpu"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # hidden on purpose
    assert pick_device(None) == "cpu"


def test_a_board_without_answers_says_none():
    class Silent:
        class NVMLError(Exception):
            """As pynvml has it."""

        def nvmlSystemGetDriverVersion(self):  # noqa: N802 -- NVML's name
            raise self.NVMLError

        def nvmlDeviceGetComputeRunningProcesses(self, _):  # noqa: N802
            raise self.NVMLError

        def nvmlDeviceGetCurrentClocksEventReasons(self, _):  # noqa: N802
            raise self.NVMLError

    assert Board(Silent(), "board").driver() is None
    assert Board(Silent(), "board").slowed() == 0
