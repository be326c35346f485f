"""Hypothesis without a deadline: a loaded machine is no failure. Ctrl-C at its default: a shell's background jobs ignore it.

The user's data and cache folders are an empty one: profiles, prices and replays of whoever runs the tests change nothing.

A load on a server begins with a garbage collection, and so does a point on a card: a second each among thousands of tests.
"""

import gc
import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1000)  # make explore, make fuzz
settings.load_profile("house")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # children inherit it: tests send it to them


DATA = tempfile.TemporaryDirectory(prefix="roi-tests-")
os.environ["XDG_DATA_HOME"] = os.environ["LOCALAPPDATA"] = os.environ["XDG_CACHE_HOME"] = DATA.name  # children inherit it
os.environ |= {"HOME": DATA.name} if sys.platform == "darwin" else {}  # where macOS keeps it


@pytest.fixture(autouse=True)
def _no_scenario_of_the_folder(monkeypatch):
    """A roi.yaml where the tests are started is nobody's answer."""
    monkeypatch.setattr("roi.cli.options.HERE", Path("no-such-folder/roi.yaml"))


@pytest.fixture(autouse=True, scope="module")
def _few_objects(request):
    """In modules that load servers or train over and over, collections pass over what was there before."""
    often = any(word in request.module.__name__ for word in ("serve", "stops", "simulated"))
    if often:
        gc.freeze()
    yield
    if often:
        gc.unfreeze()


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
