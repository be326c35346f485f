"""The profile store: written once and whole, read in order, damaged files named, questions answered newest first."""

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

import roi
from roi.errors import InputError, RoiError
from roi.estimate.training.plan import CHOICES, METHODS, TrainingPlan
from roi.facts.environment import Environment
from roi.facts.profiles import (
    DeviceProfile,
    DryRunProfile,
    DryRunSearch,
    InferPoint,
    InferProfile,
    MemoryReading,
    OperatorGroup,
    Profile,
    Rate,
    TrainPoint,
    TrainProfile,
)
from roi.store.profiles import folders as profile_files
from roi.store.profiles import loading
from roi.store.profiles.folders import file_name
from roi.store.profiles.lookup import (
    Store,
    StoredProfile,
    dry_peaks,
    find_dry_peak,
    find_dry_run,
    load_profiles,
    of_card,
    plan_record,
    profile_folders,
    read_plan,
    save_profile,
)
from roi.store.profiles.places import user_folder

ROOT = Path(roi.__file__).parent.parent
START = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
PLAN = TrainingPlan(method="qlora", rank=16.0, micro_batch=2.0, seq=1024.0)
H100 = Environment(device="cuda", gpu="H100-80GB-SXM", gpu_name="NVIDIA H100 80GB HBM3", versions={"torch": "2.13"}, seed=0)


def dry_run(plan=PLAN, model="llama-3.1-8b", started=START, **changed) -> DryRunProfile:
    figures = {
        "config_hash": "0123456789ab", "trained_parameters": 41_943_040, "allocated_bytes": 10e9, "reserved_bytes": 11e9,
        "workspace_bytes": 17e6,
        "parts_bytes": {"weights": 6e9, "activations": 4e9}, "phase": "backward", "module": "model.layers.31.mlp",
        "operator": "aten.mm.default", "largest": (("aten.mm (2, 1024, 4096)", "model.layers.*.mlp", 2e9),),
        "timeline_bytes": (6e9, 10e9, 6e9), "timeline_phases": (("forward", 0), ("backward", 1)), "wall_s": 4.2,
        "operators": (
            OperatorGroup(
                name="aten.mm", kind="matrix", dtype="bf16", shape=(2048, 4096, 4096), calls=64.0, flops=68719476736.0,
                bytes_read=50331648.0, bytes_written=16777216.0, phase="forward", launches=1.0,
            ),
        ),
        "searched": (DryRunSearch(micro_batch=4, seq=1024, allocated_bytes=14e9, reserved_bytes=16e9),),
    }  # fmt: skip
    return DryRunProfile(
        schema="roi.profile/1", started=started, environment=Environment(device="none", versions={"torch": "2.13"}),
        model=model, plan=plan_record(plan), **(figures | changed),
    )  # fmt: skip


def device(started=START, environment=H100) -> DeviceProfile:
    rate = Rate(regime="matrix", name="mm", dtype="bf16", shape=(4096, 4096, 4096), work=1.4e11, unit="FLOP", seconds=(2e-4,))
    return DeviceProfile(schema="roi.profile/1", started=started, environment=environment, rates=(rate,))


def train(started=START, environment=H100, model="llama-3.1-8b", plan=PLAN) -> TrainProfile:
    point = TrainPoint(
        micro_batch=2, seq=1024, step_s=(3.0, 0.5, 0.5), warmup=1, losses=(12.1, 11.9, 11.5),
        memory=MemoryReading(allocated_bytes=9.9e9, reserved_bytes=11e9),
    )  # fmt: skip
    return TrainProfile(
        schema="roi.profile/1", started=started, environment=environment, model=model, plan=plan_record(plan),
        weights="random", trained_parameters=41_943_040, points=(point,), largest_micro_batch={"1024": 24},
    )  # fmt: skip


def infer(started=START) -> InferProfile:
    point = InferPoint(
        adapter="merged", batch=1, prompt_tokens=512, decoded_tokens=2, prefill_s=(0.04,), decode_s=(0.02, 0.02),
        memory=MemoryReading(),
    )  # fmt: skip
    return InferProfile(
        schema="roi.profile/1", started=started, environment=H100, model="llama-3.1-8b", dtype="bf16", rank=16, points=(point,),
    )  # fmt: skip


PLACES = [
    (dry_run(), "any/llama-3.1-8b/dry-run-2026-11-25.json"),
    (device(), "H100-80GB-SXM/device-2026-11-25.json"),
    (train(), "H100-80GB-SXM/llama-3.1-8b/train-qlora-2026-11-25.json"),
    (infer(), "H100-80GB-SXM/llama-3.1-8b/infer-2026-11-25.json"),
]


@pytest.mark.parametrize(("profile", "place"), PLACES, ids=[profile.kind for profile, _ in PLACES])
def test_a_profile_is_read_back_as_it_was_written_and_where_the_layout_says(tmp_path, profile, place):
    path = save_profile(profile, tmp_path)
    store = load_profiles([tmp_path])
    assert path == tmp_path / place
    assert [stored.profile for stored in store.profiles] == [profile]
    assert store.profiles[0].name == place
    assert store.damaged == ()
    assert path.read_text(encoding="utf-8").startswith('{\n "kind": "')


@pytest.mark.parametrize("wrong", [True, "12"])
def test_a_flag_or_a_text_in_a_numbers_place_is_damage(tmp_path, wrong):
    for profile, field in ((train(), "trained_parameters"), (infer(), "rank"), (device(), "rates")):
        path = save_profile(profile, tmp_path / f"{field}{wrong}")
        text = json.loads(path.read_text())
        if field == "rates":
            text["rates"][0]["work"] = wrong
        else:
            text[field] = wrong
        path.write_text(json.dumps(text))
        (_, why), = load_profiles([path.parents[len(path.relative_to(tmp_path).parts) - 2]]).damaged
        assert field in why


def test_folders_carry_canonical_names_and_the_day_in_utc(tmp_path):
    """23:30 in New York (UTC-5) on the 24th is 04:30 UTC on the 25th."""
    late = datetime(2026, 11, 24, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    driver_name_only = H100.model_copy(update={"gpu": None})
    unknown_card = H100.model_copy(update={"gpu": None, "gpu_name": "NVIDIA Prototype X/1"})
    cpu = Environment(device="cpu", gpu_name="AMD EPYC 7B13", versions={})

    def place(profile: Profile) -> str:
        return save_profile(profile, tmp_path).relative_to(tmp_path).as_posix()

    assert place(train(late, driver_name_only, "meta-llama/Llama-3.1-8B")) == PLACES[2][1]
    assert place(train(environment=cpu, model="/data/My Model/config.json")) == "cpu/My-Model/train-qlora-2026-11-25.json"
    assert place(device(environment=unknown_card)) == "NVIDIA-Prototype-X-1/device-2026-11-25.json"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("owner/name-7B", "name-7B"), ("..", "unnamed"), ("C:\\models\\x", "x"), ("a b\n(c)", "a-b-c"), ("NUL", "NUL-"),
        ("con.json", "con.json-"), (".hidden", "hidden"), ("日本", "unnamed"), ("x" * 300, "x" * 80), ("./m/../", "m"),
    ],
)  # fmt: skip
def test_names_of_files_are_usable_on_any_system(name, safe):
    assert file_name(name) == safe


PLANS = st.fixed_dictionaries({
    "method": st.sampled_from(METHODS), "rank": st.floats(1, 512), "micro_batch": st.integers(1, 64),
    "seq": st.integers(1, 10**6), "targets": st.sampled_from(["all-linear", "qv", "q_proj,v_proj", ("q_proj", "v_proj")]),
    "checkpointing": st.booleans(), "dtype": st.sampled_from(CHOICES["dtype"]),
    "attention": st.sampled_from(CHOICES["attention"]),
    "optimizer": st.sampled_from(CHOICES["optimizer"]), "dropout": st.floats(0, 0.99), "double_quant": st.booleans(),
    "logits_kept": st.booleans(), "padded": st.booleans(), "autocast": st.booleans(), "packed": st.booleans(),
    "trainer": st.sampled_from(CHOICES["trainer"]), "accumulation": st.integers(1, 64), "gpus": st.integers(2, 1024),
    "sharding": st.sampled_from(CHOICES["sharding"]),
})  # fmt: skip


@given(PLANS)
def test_any_plan_survives_its_record(chosen):
    try:
        plan = TrainingPlan(**chosen)
    except InputError:  # int8 weights cannot be sharded
        reject()
    record = json.loads(json.dumps(plan_record(plan), allow_nan=False))
    assert read_plan(record) == plan
    assert list(record) == [field.name for field in fields(TrainingPlan)]


def test_numpy_scalars_become_plain_numbers_and_arrays_are_refused():
    plan = TrainingPlan(rank=np.float64(8), micro_batch=np.asarray(4.0), seq=np.int64(2048), checkpointing=np.bool_(True))
    record = plan_record(plan)
    assert [type(record[name]) for name in ("rank", "micro_batch", "seq", "checkpointing")] == [float, float, int, bool]
    with pytest.raises(InputError, match=r"plan\.micro_batch: an array of 2 values; a profile is of one run"):
        plan_record(TrainingPlan(micro_batch=np.array([1.0, 2.0])))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"checkpointin": True}, "plan: unknown field 'checkpointin'; nearest: checkpointing"),
        ({"method": "lroa"}, "plan.method: 'lroa'"),
        ({"checkpointing": "no"}, "plan.checkpointing: 'no'"),
        ({"seq": "2048"}, "plan.seq: '2048'"),
        ({"seq": float("inf")}, "plan.seq: 'inf'"),
        ({"seq": 0}, "plan.seq: 0"),
        ({"dropout": 1.0}, "plan.dropout: 1.0"),
        ({"accumulation": 2.5}, "plan.accumulation: '2.5'"),
        ({"targets": [1]}, "plan.targets: "),
        ({"seq": None}, "plan.seq: 'None'"),
    ],
)  # fmt: skip
def test_a_wrong_record_is_refused_by_field(change, message):
    with pytest.raises(InputError) as caught:
        read_plan(plan_record(PLAN) | change)
    assert str(caught.value).startswith(message)


def test_a_record_without_a_field_is_refused_rather_than_given_a_default():
    with pytest.raises(InputError, match=r"plan\.seq: field required"):
        read_plan({name: value for name, value in plan_record(PLAN).items() if name != "seq"})


def damage(text: str) -> list[tuple[str, bytes, str]]:
    """(file, content, reason) of files that cannot be used, made from the text of a good one."""
    good = json.loads(text)

    def changed(**change):
        return json.dumps({**good, **change}).encode()

    without_schema = json.dumps({key: value for key, value in good.items() if key != "schema"}).encode()
    return [
        ("empty.json", b" \n", "is empty"),
        ("cut.json", text.encode()[: len(text) // 2], "is cut off: the JSON ends in the middle"),
        ("prose.json", b"measured on Tuesday", "is not JSON: "),
        ("binary.json", b"\x80\x00\xff", "is not JSON: "),
        ("list.json", b"[1, 2]", "the whole: "),
        ("foreign.json", b'{"name": "web", "version": 1}', "is no profile: it has no kind (one of dry-run, probe, device, "),
        ("kind.json", changed(kind="serving"), "has the kind 'serving'; known: dry-run, probe, device, train, infer, serve"),
        ("schema.json", changed(schema="roi.profile/9", new=1), "has the schema 'roi.profile/9'; this version reads roi.p"),
        ("later.json", changed(schema="roi.profile/9", kind="x"), "has the schema 'roi.profile/9'; this version reads roi.p"),
        ("bare.json", without_schema, "has no schema; this version reads roi.profile/1"),
        ("field.json", changed(wall_s=-1), "wall_s: input should be greater than 0"),
        ("nan.json", changed(allocated_bytes=float("nan")), "allocated_bytes: input should be a finite number"),
        ("extra.json", changed(speed=3), "speed: extra inputs are not permitted"),
        ("twice.json", text.replace('"wall_s"', '"wall_s": 7, "wall_s"', 1).encode(), "'wall_s' is given twice"),
        ("plan.json", changed(plan={**good["plan"], "colour": "red"}), "plan: unknown field 'colour'"),
    ]


def test_damaged_files_are_named_with_a_short_reason_and_the_others_load(tmp_path):
    good = save_profile(dry_run(), tmp_path)
    cases = damage(good.read_text(encoding="utf-8"))
    for name, content, _ in cases:
        (tmp_path / name).write_bytes(content)
    (tmp_path / "broken-link.json").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.json")
    store = load_profiles([tmp_path])
    assert [stored.path for stored in store.profiles] == [good]
    reasons = {path.name: reason for path, reason in store.damaged}
    expected = {name: reason for name, _, reason in cases} | {
        "broken-link.json": "cannot be read: No such file or directory", "pipe.json": "is no regular file",
    }  # fmt: skip
    assert set(reasons) == set(expected)
    for name, reason in expected.items():
        assert reasons[name].startswith(reason)
        assert len(reasons[name]) < 120
        assert "\n" not in reasons[name]


def test_a_file_or_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    """Root reads everything, so the refusal is played by open and scandir."""
    path, scandir, opened = save_profile(dry_run(), tmp_path), os.scandir, Path.open
    (tmp_path / "shut").mkdir()

    def refusing(folder):
        if str(folder).endswith("shut"):
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scandir(folder)

    def locked(self, *arguments, **named):
        if self == path:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(self, *arguments, **named)

    monkeypatch.setattr(os, "scandir", refusing)
    monkeypatch.setattr("roi.store.profiles.loading.open_to_read", locked)
    why = "cannot be read: Permission denied"
    assert set(load_profiles([tmp_path]).damaged) == {(tmp_path / "shut", why), (path, why)}


def test_a_file_that_is_reached_twice_counts_once(tmp_path):
    """Through an overlapping folder, a link that loops, a hard link, and a copy."""
    path = save_profile(train(), tmp_path / "a")
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a")
    os.link(path, tmp_path / "hard.json")
    shutil.copy(path, tmp_path / "copy.json")
    store = load_profiles([tmp_path / "a", tmp_path])
    assert [(stored.path, stored.folder) for stored in store.profiles] == [(path, tmp_path / "a")]


def test_hidden_and_half_written_files_are_passed_over(tmp_path):
    (tmp_path / ".roi-00ff.part").write_text("{")
    (tmp_path / "._device.json").write_text("{")
    (tmp_path / "notes.txt").write_text("{")
    assert load_profiles([tmp_path]) == load_profiles([])


def test_other_kinds_and_other_models_are_not_looked_at(tmp_path):
    """A cut-off training run is no concern of somebody who asks for dry runs."""
    for profile in (dry_run(), dry_run(model="qwen3-8b"), device(), train()):
        save_profile(profile, tmp_path)
    (tmp_path / "cut.json").write_text('{"kind": "train", ')
    store = load_profiles([tmp_path], kinds={"dry-run"}, model="meta-llama/Llama-3.1-8B")
    assert [stored.profile.kind for stored in store.profiles] == ["dry-run"]
    assert store.damaged == ()
    assert len(load_profiles([tmp_path], model="llama-3.1-8b").profiles) == 3


def test_files_of_another_model_are_not_validated(tmp_path, monkeypatch):
    """Of 40 KB each, as a dry run with its operators is: five hundred of them would take seconds."""
    operators = dry_run().operators * 120
    text = dry_run(operators=operators, timeline_bytes=(1e9,) * 400).model_dump_json(by_alias=True, indent=1)
    for number in range(20):
        (tmp_path / f"{number}.json").write_text(text + " " * number)
    validated, validate = [], loading._validated
    monkeypatch.setattr(loading, "_validated", lambda raw: validated.append(len(raw)) or validate(raw))
    for model, held in (("qwen3-8b", 0), ("llama-3.1-8b", 20)):
        assert len(load_profiles([tmp_path], kinds={"dry-run"}, model=model).profiles) == held
        assert len(validated) == held


def test_a_second_profile_of_the_day_gets_a_number_and_the_first_is_untouched(tmp_path):
    first = save_profile(device(), tmp_path)
    before = first.read_bytes()
    others = [save_profile(device(START + timedelta(minutes=n)), tmp_path) for n in (1, 2)]
    assert [path.name for path in others] == ["device-2026-11-25-2.json", "device-2026-11-25-3.json"]
    assert first.read_bytes() == before
    assert [stored.path for stored in load_profiles([tmp_path]).profiles] == [*reversed(others), first]


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_threads_that_race_for_a_name_all_keep_their_profile(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", refuse(errno.EPERM, "Operation not permitted"))
    barrier, paths = threading.Barrier(8), []

    def write(n: int) -> None:
        barrier.wait()
        paths.append(save_profile(device(START + timedelta(seconds=n)), tmp_path))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = load_profiles([tmp_path])
    assert sorted(paths) == sorted(stored.path for stored in store.profiles)
    assert len({stored.profile.started for stored in store.profiles}) == 8
    assert [path for path in tmp_path.rglob("*") if path.suffix == ".part"] == []


def refuse(number: int, text: str):
    def refusing(*_arguments, **_named):
        raise OSError(number, text)

    return refusing


@pytest.mark.parametrize("call", ["fsync", "link and replace"])
def test_a_failing_write_leaves_nothing_and_says_why(tmp_path, monkeypatch, call):
    kept = save_profile(device(), tmp_path)
    full = refuse(errno.ENOSPC, "No space left on device")
    if call == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(os, "link", full)
        monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RoiError, match=r"-25-2\.json failed, nothing was kept: No space left on device") as caught:
        save_profile(device(), tmp_path)
    assert caught.value.exit_code == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [kept]


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(_handle):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_profile(device(), tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_folder_that_cannot_be_written_is_an_input_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"profiles: cannot make the folder .*file.H100-80GB-SXM: Not a directory"):
        save_profile(device(), tmp_path / "file")
    monkeypatch.setattr(os, "open", refuse(errno.EROFS, "Read-only file system"))
    with pytest.raises(InputError, match=r"profiles: cannot write .*device-2026-11-25\.json: Read-only file system"):
        save_profile(device(), tmp_path)


def test_an_output_file_is_written_as_named_but_never_overwritten(tmp_path):
    path = tmp_path / "mine.json"
    assert save_profile(infer(), output=path) == path
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"--output: .*mine\.json is there already; profiles are never overwritten"):
        save_profile(infer(), output=path)
    with pytest.raises(InputError, match="is there already"):
        save_profile(infer(), output=tmp_path)
    with pytest.raises(InputError, match="No such file or directory"):
        save_profile(infer(), output=tmp_path / "absent" / "x.json")
    assert path.read_bytes() == before
    assert load_profiles([tmp_path]).profiles[0].name == "mine.json"


def test_a_profile_whose_plan_cannot_be_read_again_is_not_written(tmp_path):
    with pytest.raises(InputError, match="plan: unknown field 'colour'"):
        save_profile(train().model_copy(update={"plan": {**plan_record(PLAN), "colour": "red"}}), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_folders_are_searched_in_order_and_each_once(tmp_path, monkeypatch):
    """--profiles, ./profiles, the user's folder, what came with roi; relative and absolute names of one folder are one."""
    for name in ("given", "work/profiles", "data/roi/profiles"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    shipped = ROOT / "profiles"
    usual = (Path("profiles"), tmp_path / "data/roi/profiles", shipped)
    assert profile_folders() == usual
    assert profile_folders([tmp_path / "given"]) == (tmp_path / "given", *usual)
    again = tmp_path / "work/profiles"
    assert profile_folders([again]) == (again, *usual[1:])
    monkeypatch.chdir(tmp_path)
    assert profile_folders() == usual[1:]


def test_a_given_folder_that_is_absent_or_a_file_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"--profiles: no folder .*absent"):
        profile_folders([tmp_path / "absent"])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"--profiles: file is not .*; give the one that it lies in, the current folder, \.$"):
        profile_folders([Path("file")])
    with pytest.raises(InputError, match=r"--profiles: .*file is not a folder; give the one that it lies in, .*"):
        profile_folders([tmp_path / "file"])


@pytest.mark.parametrize(("platform", "variable", "stated", "folder"), [
    ("linux", "XDG_DATA_HOME", "", "~/.local/share/roi/profiles"), ("linux", "XDG_DATA_HOME", "/data", "/data/roi/profiles"),
    ("linux", "XDG_DATA_HOME", "relative", "~/.local/share/roi/profiles"),
    ("darwin", "XDG_DATA_HOME", "/data", "~/Library/Application Support/roi/profiles"),
    ("win32", "LOCALAPPDATA", "/local", "/local/roi/profiles"),
])
def test_the_users_folder_follows_the_platform(monkeypatch, platform, variable, stated, folder):
    monkeypatch.setattr("roi.catalog.user_data.sys.platform", platform)
    monkeypatch.setenv(variable, stated)
    assert user_folder() == Path(folder).expanduser()


def test_a_new_profile_goes_to_the_working_folder_where_it_has_profiles_else_to_the_users(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert save_profile(device()) == tmp_path / "data/roi/profiles" / PLACES[1][1]
    (tmp_path / "profiles").mkdir()
    assert save_profile(device()) == Path("profiles") / PLACES[1][1]


def test_runs_come_newest_first_whatever_their_zone(tmp_path):
    """09:00 in Tokyo (UTC+9) is midnight UTC, before 01:00 UTC; a time without zone is UTC."""
    tokyo = datetime(2026, 11, 25, 9, tzinfo=timezone(timedelta(hours=9)))
    naive = datetime(2026, 11, 25, 0, 30)  # noqa: DTZ001 - as an older or foreign file may have it
    starts = [tokyo, naive, datetime(2026, 11, 25, 1, tzinfo=UTC)]
    for started in starts:
        save_profile(device(started), tmp_path)
    found = of_card(load_profiles([tmp_path]), DeviceProfile, "H100")
    assert [stored.profile.started for stored in found] == [starts[2], naive, tokyo]


def test_runs_are_found_by_card(tmp_path):
    cpu = Environment(device="cpu", versions={})
    for profile in (device(), device(environment=cpu), train(), train(model="qwen3-8b"), train(environment=cpu)):
        save_profile(profile, tmp_path)
    store = load_profiles([tmp_path])
    assert len(of_card(store, DeviceProfile, "H100")) == len(of_card(store, DeviceProfile, "cpu")) == 1
    assert of_card(store, DeviceProfile, "L4") == ()


def test_a_dry_run_is_found_for_any_plan_that_needs_the_same_memory(tmp_path):
    save_profile(dry_run(started=START - timedelta(days=1)), tmp_path)
    newest = save_profile(dry_run(), tmp_path)
    for other in (replace(PLAN, seq=4096.0), replace(PLAN, sharding="zero3", gpus=8)):
        save_profile(dry_run(other, started=START + timedelta(days=1)), tmp_path)
    store = load_profiles([tmp_path])

    def found(model="llama-3.1-8b", config_hash=None, **change) -> bool:
        run = find_dry_run(store, model, replace(PLAN, **change), config_hash)
        assert run is None or run.path == newest
        return run is not None

    assert found()
    assert found("meta-llama/Llama-3.1-8B", "0123456789ab", rank=16, gpus=8)
    assert not found(config_hash="ba9876543210")
    assert not found("qwen3-8b")
    assert not found(sharding="fsdp", gpus=8)
    assert not found(accumulation=2)
    for change in (
        {"rank": 32}, {"micro_batch": 4}, {"seq": 512}, {"method": "lora"}, {"dropout": 0.1}, {"packed": True},
        {"double_quant": False}, {"trainer": "hf"}, {"optimizer": "adamw-8bit"}, {"checkpointing": False},
    ):  # fmt: skip
        assert not found(**change), change


def test_fields_that_memory_does_not_depend_on_are_left_out(tmp_path):
    """Accumulation 2 and 8 keep gradients alike; full fine-tuning has no adapter; bf16 weights have no block scales."""
    lora = TrainingPlan(method="lora", targets="qv", accumulation=2)
    full = TrainingPlan(method="full", rank=16)
    for plan in (lora, full):
        save_profile(dry_run(plan), tmp_path)
    store = load_profiles([tmp_path])
    same = replace(lora, method="rslora", targets=("v_proj", "q_proj"), accumulation=8, double_quant=False)
    assert find_dry_run(store, "llama-3.1-8b", same) is not None
    assert find_dry_run(store, "llama-3.1-8b", replace(lora, accumulation=1)) is None
    assert find_dry_run(store, "llama-3.1-8b", replace(full, rank=64, targets="qv", dropout=0.1)) is not None


def test_other_sizes_are_read_off_the_line_between_dry_runs():
    """Batch 2, 4, 8 at 1,024 tokens: 10, 14, 22 GB allocated and 11, 16, 24 reserved. At 3: 12 and 13.5; at 7:
    14 + 3/4 x 8 = 20 and 16 + 3/4 x 8 = 22. Batch 2 at 2,048 tokens 18 and 20: at 1,536 half way, 14 and 15.5.
    Nothing outside."""
    run = dry_run(
        searched=tuple(
            DryRunSearch(micro_batch=batch, seq=seq, allocated_bytes=allocated, reserved_bytes=reserved)
            for batch, seq, allocated, reserved in ((8, 1024, 22e9, 24e9), (4, 1024, 14e9, 16e9), (2, 2048, 18e9, 20e9))
        )
    )
    peaks = dry_peaks(run, "x")
    for size, allocated, reserved in (((2, 1024), 10e9, 11e9), ((3, 1024), 12e9, 13.5e9), ((7, 1024), 20e9, 22e9),
                                      ((8, 1024), 22e9, 24e9), ((2, 1536), 14e9, 15.5e9)):
        found = peaks.sized(*size)
        assert found is not None
        assert (found.own.allocated_bytes, found.own.reserved_bytes) == (allocated, reserved)
    assert found.source == "x, between the sizes run, at 1,536 tokens"
    for outside in ((1, 1024), (9, 1024), (2, 512), (2, 4096), (3, 1536)):
        assert peaks.sized(*outside) is None


def test_the_peak_of_a_plan_comes_from_a_run_of_its_size_else_from_between_two():
    """Batch 2 and 4 at 1,024 tokens: 10 and 14 GB, so 3 takes 12. A later run at 3 itself said 12.5: it answers first, then
    the newest run whose sizes hold the plan's. Batch 5 lies outside."""
    newest = StoredProfile(Path("b"), dry_run(searched=(), started=START + timedelta(days=1)))
    between = Store((newest, StoredProfile(Path("a"), dry_run())))

    def found(store, plan):
        stored, peaks = find_dry_peak(store, "llama-3.1-8b", plan)
        return stored, peaks.own.allocated_bytes, peaks.own.reserved_bytes

    assert found(between, replace(PLAN, micro_batch=3, gpus=4)) == (between.profiles[1], 12e9, 13.5e9)
    assert found(between, PLAN) == (newest, 10e9, 11e9)
    for other in (replace(PLAN, micro_batch=5), replace(PLAN, micro_batch=3, rank=8), replace(PLAN, sharding="zero2", gpus=2)):
        assert find_dry_peak(between, "llama-3.1-8b", other) is None
    exact = StoredProfile(Path("c"), dry_run(replace(PLAN, micro_batch=3), allocated_bytes=12.5e9))
    assert found(Store((*between.profiles, exact)), replace(PLAN, micro_batch=3)) == (exact, 12.5e9, 11e9)


@pytest.mark.parametrize("path", sorted((ROOT / "profiles").rglob("*.json")) or [None], ids=str)
def test_every_profile_of_the_repository_loads_and_lies_where_its_content_says(path):
    if path is not None:
        store = load_profiles([path.parent])
        assert store.damaged == ()
        place = profile_files.profile_place(next(s.profile for s in store.profiles if s.path == path))
        assert path.relative_to(ROOT / "profiles").parent == place.parent
        assert path.stem.startswith(place.stem)


@pytest.mark.full
def test_a_wheel_ships_the_profiles_and_finds_them(tmp_path):
    """Built offline from a source distribution, which must hold them too."""
    pytest.importorskip("setuptools", "77", reason="the build needs setuptools, which no run-time package brings")
    source, profiles = tmp_path / "source", "any/llama-3.1-8b/dry-run-2026-11-25.json"
    shutil.copytree(ROOT / "roi", source / "roi", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    save_profile(dry_run(), source / "profiles")
    build(source, f"build_sdist({str(tmp_path)!r})")
    (archive,) = tmp_path.glob("*.tar.gz")
    shutil.unpack_archive(archive, tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    build(unpacked, f"build_wheel({str(tmp_path)!r})")
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as held:
        assert [name for name in held.namelist() if "_profiles/" in name] == [f"roi/_profiles/{profiles}"]
        held.extractall(tmp_path / "site")
    code = "from roi.store.profiles.lookup import *; print(load_profiles(profile_folders()).profiles[0].path)"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "site"), "HOME": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(found.stdout.strip()) == tmp_path / "site" / "roi" / "_profiles" / profiles


def build(tree: Path, call: str) -> None:
    code = f"from setuptools import build_meta; build_meta.{call}"
    subprocess.run([sys.executable, "-c", code], cwd=tree, capture_output=True, check=True)
