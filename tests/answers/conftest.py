"""A day of 200,000 requests takes a second to replay: tests of fleets leave it out but where they look at it (`whole_days`)."""

import pytest


@pytest.fixture
def whole_days():
    """Asked for by a test that looks at what a day is said to be."""


@pytest.fixture(autouse=True)
def _few_days(request, monkeypatch):
    if request.module.__name__.startswith("test_size") and "whole_days" not in request.fixturenames:
        monkeypatch.setattr("roi.answers.size.replay_day", lambda *inputs: None)


@pytest.fixture
def no_profiles(tmp_path, monkeypatch):
    """What is tested is the closed form: shipped dry runs are left aside."""
    monkeypatch.setattr("roi.answers.fit.profile_folders", lambda given=(): ())
    monkeypatch.chdir(tmp_path)
