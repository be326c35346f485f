"""Profiles of one server and software are one profile of all their loads; of another one the newest stands alone."""

from datetime import UTC, datetime

import pytest
from step_simulator import DESIGN, Load, Truth, simulate

from roi.catalog.models.shapes import find_model
from roi.evidence.measured_servers import find_served, measured_servers
from roi.evidence.same_server import pooled
from roi.facts.environment import Environment
from roi.store.profiles.lookup import load_profiles, save_profile

STATED = {"model": "llama-3.1-8b", "gpu": "H100-80GB-SXM", "weight_dtype": "bf16", "engine": "vllm", "engine_version": "0.11.0"}
ONE = (Load(256, 64, 16, requests=32),)


def profile(day, loads=ONE, a=12e-3, **fields):
    return simulate(Truth(a=a), loads=loads, **{**STATED, **fields}, started=datetime(2026, 11, day, tzinfo=UTC))


def stored(folder, *profiles):
    for each in profiles:
        save_profile(each, folder)
    return load_profiles([folder])


def served(folder, *profiles):
    servers, passed = measured_servers(stored(folder, *profiles), "H100-80GB-SXM")
    return servers, passed, find_served(servers, find_model("llama-3.1-8b"), 1, "bf16", prefill_context=500.0)


def width(found):
    return found.speed.high / found.speed.low


@pytest.mark.full
def test_loads_of_an_older_profile_of_one_server_and_software_stand_beside_those_of_a_newer_one(tmp_path):
    """Six loads and one are seven, as if one run had made them all; the one alone leaves 1.64 between its ends, all 1.27."""
    old, new = profile(1, DESIGN), profile(20)
    (server,), passed, both = served(tmp_path / "both", old, new)
    (whole,), _, at_once = served(tmp_path / "whole", new.model_copy(update={"points": (*new.points, *old.points)}))
    _, _, alone = served(tmp_path / "alone", new)
    assert (server.fit.points, passed) == (7, ())
    assert server.fit.coefficients == whole.fit.coefficients
    assert width(both) == width(at_once) == pytest.approx(1.27, abs=0.02)
    assert width(alone) == pytest.approx(1.64, abs=0.02)
    assert [name.rpartition("-")[2] for name in both.profiles] == ["20.json", "01.json"]
    assert "serve-2026-11-20.json and 1 older of the same server, 7 loads, with up to 32 in flight" in both.speed.source
    assert "(n 7)" in both.speed.source


@pytest.mark.parametrize(("older", "told"), [
    ({"engine_version": "0.10.2"}, "(vllm 0.10.2)"), ({"engine_version": None}, "(of a version that nobody says)"),
    ({"environment": Environment(device="none", versions={}, driver="550.54")}, "(vllm 0.11.0 driver 550.54)"),
    ({"environment": Environment(device="none", versions={}, power_limit_w=350.0)}, "(vllm 0.11.0 limit 350 W)"),
])  # fmt: skip
def test_of_another_software_the_newest_profile_stands_alone_and_says_what_is_put_aside(tmp_path, older, told):
    servers, _, found = served(tmp_path, profile(1, DESIGN[2:4], **older), profile(20))
    assert [server.fit.points for server in servers] == [1, 2]
    assert found.profiles == (servers[0].stored.name,)
    assert found.speed.source.endswith(
        f"; older, and not known to be of its software (vllm 0.11.0), so not taken: {servers[1].stored.name} {told}")


def test_of_equal_loads_the_newer_stands(tmp_path):
    """The server got faster, and the load was measured again: nothing is left of the older profile but what it alone has."""
    (server,), _, found = served(tmp_path, profile(1, ONE, a=12e-3), profile(20, ONE, a=8e-3))
    assert (server.older, server.fit.points) == ((), 1)
    assert found.iteration.step_s == pytest.approx(8e-3, rel=0.03)


def test_a_load_that_says_nothing_alone_does_beside_older_ones(tmp_path):
    """One request in flight cannot tell a step from its sequence; with 8 beside it, it can."""
    single = (Load(256, 64, 1, requests=16),)
    assert served(tmp_path / "alone", profile(20, single))[2] is None
    (server,), passed, _ = served(tmp_path / "both", profile(1, DESIGN[2:4]), profile(20, single))
    assert (server.fit.points, passed) == (3, ())


def test_where_all_together_cannot_be_fitted_each_stands_by_itself(tmp_path):
    """Steps of a microsecond beat the card; what that profile says is passed over, the newer one's is not."""
    wrong = simulate(Truth(a=1e-6, b=0.0, c=0.0, d=0.0), loads=DESIGN[2:4], **STATED, started=datetime(2026, 11, 1, tzinfo=UTC))
    servers, passed, _ = served(tmp_path, wrong, profile(20))
    assert [server.fit.points for server in servers] == [1]
    assert [name.rpartition("-")[2] for name, _ in passed] == ["01.json"]


def test_of_a_run_that_was_cut_short_only_whole_loads_go_with_others(tmp_path):
    """Where nothing of it may be fitted it is no part of the others; they are as they were."""
    cut = profile(1, DESIGN[:2]).model_copy(update={"complete": False})
    found = pooled(stored(tmp_path, cut, profile(20, DESIGN[2:3]), profile(10, DESIGN[3:4])).profiles)
    assert [(joined.stored.name[-7:-5], len(joined.stored.profile.points), len(alone)) for joined, alone in found] == [
        ("20", 2, 2), ("01", 2, 1)]
