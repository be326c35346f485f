"""What the tests of `roi profile serve` share: a fast law, a small design, a run through the command and one without it."""

from click.testing import CliRunner
from serving_server import Law

from roi.cli import main
from roi.facts.serve_profile import ServeProfile
from roi.profiling.progress import Watcher
from roi.profiling.server.endpoint import read_url
from roi.profiling.server.load_design import ServePlan
from roi.profiling.server.measured_server import profile_serve
from roi.profiling.server.server_run import ServeRequest

FAST = Law(step_s=0.001, sequence_s=1e-5, kv_token_s=1e-8, prefill_token_s=1e-6)
SMALL = ("--concurrency", "1,4", "--input-tokens", "16,64", "--output-tokens", "8", "--requests", "8", "--budget", "20s")


def run(server, tmp_path, *words, url=None, **more):
    """A small profile; an option of `words` takes the place of the small one's."""
    output = tmp_path / "kept.json"
    small = [*zip(SMALL[::2], SMALL[1::2], strict=True), ("--output", str(output))]
    kept = [word for pair in small if pair[0] not in words for word in pair]
    result = CliRunner().invoke(main, ["profile", "serve", url or server.url, *kept, *words], catch_exceptions=False, **more)
    return result, ServeProfile.model_validate_json(output.read_bytes()) if output.exists() else None


def served(server, *points, watcher=None, **fields):
    request = {"key": None, "served_model": None, "seed": 5, "budget_s": 20.0, "timeout_s": 10.0, "stall_s": 5.0, **fields}
    return profile_serve(ServeRequest(read_url(server.url), plan=ServePlan(points), **request), watcher or Watcher())
