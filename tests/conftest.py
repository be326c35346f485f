"""Hypothesis without a deadline: a loaded machine is no failure. Ctrl-C at its default: a shell's background jobs ignore it.

The user's data and cache folders are an empty one: profiles, prices and replays of whoever runs the tests change nothing.

What a plan holds is replayed by the first test that asks, of all workers, and so is the day of a fleet.

Python looks for cycles neither while the tests are imported nor, later, among what they are: all of it stays to the end.
"""

import gc
import os
import signal
import sys
import tempfile
from functools import cache, lru_cache
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("explore", deadline=None, max_examples=1000)  # make explore, make fuzz
settings.load_profile("house")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # children inherit it: tests send it to them


DATA = tempfile.TemporaryDirectory(prefix="roi-tests-")
os.environ["XDG_DATA_HOME"] = os.environ["LOCALAPPDATA"] = os.environ["XDG_CACHE_HOME"] = DATA.name  # children inherit it
SHARED = Path(os.environ.setdefault("ROI_TESTS_SHARED", f"{DATA.name}/shared"))  # of the first process, for its workers
os.environ |= {"HOME": DATA.name} if sys.platform == "darwin" else {}  # where macOS keeps it


@pytest.fixture(autouse=True, scope="session")
def _as_started_alone():
    """A roi.yaml where the tests are started is nobody's answer; answers are kept though a file of roi was saved just now."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("roi.cli.options.HERE", Path("no-such-folder/roi.yaml"))
        patch.setattr("roi.store.cache_files.IMPORTED_AT", float("inf"))
        patch.setattr("os.fsync", lambda _handle: None)  # what tests write need not outlast a loss of power: 4 ms each
        yield


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What the imports and the tests are made of stays: a search through it would take half a second each time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True, scope="module")
def _few_objects(request):
    """Modules that load servers or train collect at every load and every point: among what they make themselves."""
    if any(word in request.module.__name__ for word in ("serve", "stops", "simulated")):
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _replayed_once():
    """Plans that resolve the same are replayed once a session; the key is that of the product's own cache, exact to the bit."""
    from roi.resolution import plans
    from roi.store.replays import KeptReplays

    kept, replay = KeptReplays(SHARED / "replayed"), plans.plan_capacity

    def once(*inputs):
        if (found := kept.find(*inputs)) is None:
            kept.keep(found := replay(*inputs), *inputs)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plans, "plan_capacity", once)
        yield


@pytest.fixture(autouse=True, scope="session")
def _estimated_once():
    """What a worker's scenarios without runs of their own rest on is estimated once, as for the files of a folder."""
    from roi.catalog.user_data import data_folder
    from roi.evidence.known_runs import known_runs
    from roi.resolution import resolution

    published = cache(lambda _folder: known_runs())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resolution, "known_runs", lambda: published(data_folder()))
        yield


@pytest.fixture(autouse=True, scope="session")
def _compared_once():
    """Doors asked for a Case again answer as before; stored profiles and the program are looked at again where they changed."""
    from asked_before import compared_once

    from roi.economics.decision.comparison import compare
    from roi.store import cache_files
    from roi.store.profiles import loading

    once, program = compared_once(compare), cache(lambda _imported_at: cache_files.program())
    with pytest.MonkeyPatch.context() as patch:
        for door in ("answers.compare.compare", "answers.diff.compare", "answers.saved.compare", "api.asking.compare_case"):
            patch.setattr(f"roi.{door}", once)
        patch.setattr(loading, "_validated", lru_cache(maxsize=256)(loading._validated))
        for asking in ("cases", "replays"):
            patch.setattr(f"roi.store.{asking}.program", lambda: program(cache_files.IMPORTED_AT))
        yield


@pytest.fixture(autouse=True, scope="session")
def _days_once():
    """The day of a fleet, some 200,000 requests, is replayed once a session too, by the same key."""
    from kept_days import replayed_once

    from roi.answers import size

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(size, "replay_day", replayed_once(size.replay_day, SHARED / "days"))
        yield


@pytest.fixture(autouse=True, scope="session")
def _translated_once():
    """What is asked of a log is put into SQL once a worker, a quarter of what a small log takes."""
    from translated_before import translated_once

    with pytest.MonkeyPatch.context() as patch:
        translated_once(patch)
        yield


SAID = pytest.StashKey[list[str]]()


@pytest.fixture
def say(request):
    """Has a line told at the end of the run, also by a worker."""
    return request.config.stash.setdefault(SAID, []).append


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["said"] = session.config.stash.get(SAID, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    node.config.stash.setdefault(SAID, []).extend(getattr(node, "workeroutput", {}).get("said", []))


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash.get(SAID, []):
        terminalreporter.write_line(line)
