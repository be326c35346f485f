"""A writer that is killed leaves the target whole or absent, nothing else after the next write, and no earlier profile lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from asked import ask

from roi.disk import PART, replace_file
from roi.store.profiles.loading import load_profiles
from roi.store.profiles.lookup import save_profile

WRITERS = """
import os, random, signal, sys, time
from pathlib import Path
from roi.disk import replace_file
from roi.store.profiles.loading import load_profiles
from roi.store.profiles.lookup import save_profile

folder, source, chance = Path(sys.argv[1]), Path(sys.argv[2]), random.Random(17)
[kept] = load_profiles([source]).profiles
told = os.open(folder / "told", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
target = folder / "target.txt"


def write():
    for number in range(1_000_000):
        replace_file(target, [f"{number:06d}"] * 2_000)
        os.write(told, f"\\n{save_profile(kept.profile, folder)}\\n".encode())


for _ in range(100):
    writers = [os.fork(), ]
    if writers[0] == 0:
        write()
    writers.append(os.fork())
    if writers[1] == 0:
        write()
    for writer in writers:
        time.sleep(chance.uniform(0.0, 0.08))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
    text = target.read_text() if target.exists() else ""
    assert text == text[:6] * (2_000 if text else 0), text[:100]
"""
SHIPPED = Path(__file__).parents[1] / "fuzz" / "corpus" / "profile.json"


@pytest.mark.full
def test_kill_9_at_200_random_moments_tears_nothing(tmp_path):
    """Two writers at once, 100 times, each killed after up to 80 ms; the target is one number over and over."""
    source, folder = tmp_path / "source", tmp_path / "kept"
    source.mkdir()
    folder.mkdir()
    (source / "one.json").write_bytes(SHIPPED.read_bytes())
    subprocess.run([sys.executable, "-c", WRITERS, str(folder), str(source)], check=True)
    # A kill may cut the last line of the list itself short (a write stops at a page of memory): each starts with a line end.
    told = [line for line in (folder / "told").read_text(encoding="utf-8").splitlines() if line.endswith(".json")]
    assert len(told) > 20
    assert load_profiles([folder]).damaged == ()
    whole = SHIPPED.stat().st_size
    assert all(Path(path).stat().st_size > whole / 2 for path in told)
    for inner in {folder, *(path.parent for path in folder.rglob("*.json"))}:
        replace_file(inner / "last.txt", "x")
    assert list(folder.rglob(".roi-*.part")) == []


def test_what_a_killed_writer_left_is_swept_and_what_a_living_one_writes_is_not(tmp_path):
    """A lock tells them apart: here another process holds it."""
    dead, living = tmp_path / ".roi-00000000.part", tmp_path / ".roi-11111111.part"
    dead.write_text("half")
    living.write_text("half")
    (tmp_path / ".roi-x.part").write_text("not ours")
    hold = "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold, str(living)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        replace_file(tmp_path / "target", "whole")
        assert sorted(path.name for path in tmp_path.iterdir()) == [living.name, ".roi-x.part", "target"]
        holder.communicate(b"\n")
    replace_file(tmp_path / "target", "again")
    assert not living.exists()


def test_a_planted_link_in_the_place_of_a_part_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / ".roi-22222222.part").symlink_to("precious")
    replace_file(tmp_path / "target", "whole")
    assert (tmp_path / "precious").read_text() == "mine"
    [kept] = load_profiles([SHIPPED.parent], kinds={"dry-run"}).profiles
    assert save_profile(kept.profile, tmp_path).is_file()


@pytest.mark.full
def test_a_trace_and_a_page_are_written_under_names_that_nobody_foresees(tmp_path, monkeypatch):
    made, opened = [], os.open

    def seen(path, flags, *rest, **more):
        if flags & os.O_CREAT and Path(os.fspath(path)).parent == tmp_path:
            made.append(Path(path).name)
            assert flags & os.O_EXCL
        return opened(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", seen)
    usage = SHIPPED.with_name("usage.csv")
    for words in (("usage", str(usage), "--tasks", "0", "--trace", str(tmp_path / "trace.csv")),
                  ("size", "--html", str(tmp_path / "sized.html"))):
        assert ask(*words).exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sized.html", "trace.csv"]
    assert len(set(made)) == 2
    assert all(PART.fullmatch(name) for name in made)
