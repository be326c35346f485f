"""`roi profile serve`: load on an OpenAI-compatible server, measured from outside."""

import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from roi.profiling.server.load_design import PlannedPoint, ServePlan
    from roi.profiling.server.server_run import ServeRun

KEY = "OPENAI_API_KEY"
MOST_TOKENS = 1_000_000
MOST_REQUESTS = 100_000


@click.command(short_help="Load on a running server: TTFT, TPOT, throughput.")
@click.argument("url", required=False)
@click.option("--model", "served", help="Name that the server knows the model by.  [default: the only one it lists]")
@click.option("--concurrency", default="1,8,32", show_default=True, help="Requests in flight of the closed loops, with commas.")
@click.option("--input-tokens", default="128,1024", show_default=True, help="Prompt tokens, with commas.")
@click.option("--output-tokens", default="64,192", show_default=True, help="Output tokens, with commas.")
@click.option("--requests", type=click.IntRange(1, MOST_REQUESTS),
              help="Requests of each load.  [default: 4 for each in flight, 64 of the open loop, the whole trace]")
@click.option("--arrivals", type=click.Choice(["both", "closed", "open"]), default="both", show_default=True,
              help="Closed loops, an open loop, or both.")
@click.option("--rate", type=click.FloatRange(0.0, 1e5, min_open=True),
              help="Requests a second of the open loop.  [default: 60% of what the closed loops reach; a trace's own]")
@click.option("--trace", type=click.Path(path_type=Path),
              help="Open loop by these arrivals and lengths: CSV or Parquet of roi usage --trace, or a public Azure trace.")
@click.option("--import", "imported", type=click.Path(path_type=Path), multiple=True,
              help="Instead of a load: requests that vLLM's bench serve, guidellm, aiperf or genai-perf measured.")
@click.option("--adapters", help="Names of unmerged adapters, with commas: loads with one and with all of them follow.")
@click.option("--merged", is_flag=True, help="The served weights have an adapter merged into them.")
@click.option("--gpu", help="The server's card, as the catalog names it; cpu for a server without.")
@click.option("--gpus", type=click.IntRange(1, 1024), default=1, show_default=True, help="Tensor-parallel GPUs of the server.")
@click.option("--engine", help="vllm, sglang, tgi, ...  [default: as the server says]")
@click.option("--weight-dtype", help="bf16, fp8, ...: how the weights are stored.")
@click.option("--kv-dtype", help="How the KV cache is stored.  [default: as the server says]")
@click.option("--kv-tokens", type=click.FloatRange(1.0, 1e12), help="Tokens of its KV cache.  [default: as the server says]")
@click.option("--catalog-model", help="Catalog name of the model's shape.  [default: by the served name]")
@click.option("--tokenizer", type=click.Path(path_type=Path), help="tokenizer.json (or its folder) that counts tokens here.")
@click.option("--api-key-env", metavar="NAME", help=f"Variable that holds the key; sent to URL only.  [default: {KEY}]")
@click.option("--ttft-p95", type=click.FloatRange(0.0, 1e6, min_open=True), default=2.0, show_default=True,
              help="Limit of goodput on TTFT, s.")
@click.option("--tpot-p95", type=click.FloatRange(0.0, 1e6, min_open=True), default=0.05, show_default=True,
              help="Limit of goodput on TPOT, s.")
@click.option("--budget", default="5m", show_default=True, help="Time for all of it.")
@click.option("--timeout", default="120s", show_default=True, help="Time for one request.")
@click.option("--stall", default="60s", show_default=True, help="Silence after which the server counts as gone.")
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be sent, and send nothing.")
@click.option("--output", type=click.Path(path_type=Path), help="File for the profile.  [default: a dated one in --profiles]")
@click.option("--profiles", type=click.Path(path_type=Path), help="Folder of profiles.  [default: ./profiles, else the user's]")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
              help="How to print.")
def serve(
    *, url: str | None, served: str | None, concurrency: str, input_tokens: str, output_tokens: str, requests: int | None,
    arrivals: str, rate: float | None, trace: Path | None, imported: tuple[Path, ...], adapters: str | None, merged: bool,
    gpu: str | None, gpus: int, engine: str | None, weight_dtype: str | None, kv_dtype: str | None, kv_tokens: float | None,
    catalog_model: str | None, tokenizer: Path | None, api_key_env: str | None, ttft_p95: float, tpot_p95: float, budget: str,
    timeout: str, stall: str, only_plan: bool, output: Path | None, profiles: Path | None, form: str,
) -> None:
    """Put load on the OpenAI-compatible server at URL, and keep every request's timestamps.

    vLLM, SGLang, TGI, Ollama, llama.cpp, transformers serve and others. Closed loops with so many requests in flight tell how
    a step's time depends on sequences, context and prompts; an open loop with random arrivals checks it. What will be
    sent is said first, and no more is sent; --plan says it and stops. The key is read from the environment and kept nowhere.

    Exit code: 0 measured; 2 the URL, the key, the model or an option is unusable; 1 the server failed or cannot be reached; 130
    Ctrl-C, 143 SIGTERM: what was measured is kept, also after 1.
    """
    from roi.cli.profile_words import check_formats, check_new, check_numbers, leave_if_stopped, read_names, read_seconds

    check_numbers(("--rate", rate), ("--ttft-p95", ttft_p95), ("--tpot-p95", tpot_p95), ("--kv-tokens", kv_tokens))
    check_formats(weight_dtype, kv_dtype)
    if imported and only_plan:
        raise click.UsageError("--plan says what would be sent; --import sends nothing: leave out one of them")
    seconds = read_seconds(budget, "--budget")
    timeout_s, stall_s = read_seconds(timeout, "--timeout"), read_seconds(stall, "--stall")
    loads = _read_loads(concurrency, input_tokens, output_tokens, requests, arrivals, rate, trace)
    names = read_names(adapters, "--adapters")
    if names and merged:
        raise click.UsageError("--merged: adapters are merged or spread over names; leave out --merged or --adapters")
    check_new(output, profiles)
    key = _key(api_key_env)

    from roi.cli.output import write
    from roi.profiling.progress import show_progress
    from roi.profiling.server.measured_server import profile_serve
    from roi.profiling.server.prompts import token_counter
    from roi.profiling.server.server_request import ServeRequest
    from roi.profiling.server.server_run import ServeRun
    from roi.profiling.server.wire import read_url
    from roi.profiling.stops import catch_stops
    from roi.report.profiles.profile_serve import plan_json, plan_text
    from roi.store.imports.benchmarks import read_benchmark
    from roi.store.imports.points import Stated

    stated = Stated(_catalog_model(catalog_model), _gpu(gpu), gpus, engine, weight_dtype, kv_dtype, kv_tokens)
    told = _Told(profiles, output, form, ttft_p95, tpot_p95)
    if imported:
        if url is not None:
            raise click.UsageError("--import: nothing is sent where files are read; leave out URL or --import")
        _tell(ServeRun(read_benchmark(imported, stated), interrupted=False, failure=None), told)
        return
    if url is None:
        raise click.UsageError("URL: which server? for example http://localhost:8000; or --import FILE")
    place = read_url(url)
    seed = secrets.randbits(31)  # a new one each time: a server's prefix cache knows the prompts of the last
    plan = _plan(loads, seed, len(names))
    if only_plan:
        write({"table": plan_text, "json": plan_json}[form](plan, place.url, seconds, key=key is not None))
        return
    count = None if tokenizer is None else token_counter(tokenizer)
    click.echo(plan_text(plan, place.url, seconds, key=key is not None), err=True)
    request = ServeRequest(place, key, served, plan, seed, seconds, timeout_s, stall_s, names, merged, stated, count)
    with catch_stops() as stops:
        with show_progress() as watcher:
            run = profile_serve(request, watcher, stops)
        _tell(run, told)
        leave_if_stopped(stops, interrupted=run.interrupted)
    _leave_if_failed(run)


class _Loads(NamedTuple):
    """The loads that are asked for."""

    levels: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    requests: int | None
    arrivals: str
    rate: float | None
    trace: Path | None


class _Told(NamedTuple):
    """Where the profile goes, and how it is told."""

    profiles: Path | None
    output: Path | None
    form: str
    most_ttft_s: float
    most_tpot_s: float


def _read_loads(concurrency: str, input_tokens: str, output_tokens: str, requests: int | None, arrivals: str,
                rate: float | None, trace: Path | None) -> _Loads:
    """The options about loads, which must fit together."""
    from roi.cli.profile_words import MOST_SEQUENCES, read_counts

    if arrivals == "open" and rate is None and trace is None:
        raise click.UsageError("--arrivals open: at which rate? --rate 2, or --trace FILE")
    if arrivals == "closed" and (rate is not None or trace is not None):
        raise click.UsageError("--arrivals closed: leave out --rate and --trace, which are for an open loop")
    return _Loads(
        read_counts(concurrency, "--concurrency", MOST_SEQUENCES), read_counts(input_tokens, "--input-tokens", MOST_TOKENS),
        read_counts(output_tokens, "--output-tokens", MOST_TOKENS), requests, arrivals, rate, trace,
    )


def _plan(asked: _Loads, seed: int, adapters: int) -> "ServePlan":
    """All loads: closed loops of the base, of adapters, and an open loop; alone it takes all adapters."""
    from roi.profiling.server.load_design import ServePlan, adapter_points, closed_points

    points: list[PlannedPoint] = []
    if asked.arrivals != "open":
        lengths = (asked.levels, asked.inputs, asked.outputs, asked.requests, seed)
        points += [*closed_points(*lengths), *adapter_points(*lengths, adapters)]
    if asked.arrivals != "closed":
        point = _open_point(asked, seed)
        points.append(replace(point, adapters=adapters) if asked.arrivals == "open" else point)
    return ServePlan(tuple(points))


def _open_point(asked: _Loads, seed: int) -> "PlannedPoint":
    """The open loop: by the trace where there is one, else Poisson arrivals."""
    from roi.cli.trace_file import open_trace
    from roi.profiling.server.load_design import poisson_point, trace_point

    if asked.trace is None:
        return poisson_point(asked.inputs, asked.outputs, asked.requests, asked.rate, seed)
    found = open_trace(asked.trace)
    columns = (found.arrival_s.tolist(), found.input_tokens.tolist(), found.output_tokens.tolist())
    return trace_point(*columns, asked.requests, asked.rate)


def _tell(run: "ServeRun", told: _Told) -> None:
    """Keep the profile, and tell it with the step that is fitted on it."""
    from roi.cli.output import write
    from roi.evidence.server_fit import fit_serve
    from roi.report.profiles.profile_serve import serve_json, serve_text
    from roi.store.profiles.lookup import save_profile

    file = save_profile(run.profile, told.profiles, told.output)
    tell = {"table": serve_text, "json": serve_json}[told.form]
    write(tell(run.profile, fit_serve(run.profile), told.most_ttft_s, told.most_tpot_s, file))


def _leave_if_failed(run: "ServeRun") -> None:
    """Exit with 1 where requests failed or the server was given up."""
    from roi.errors import RoiError

    if run.failure is not None:
        raise RoiError(f"{run.failure}; what was measured is kept, marked incomplete")


def _key(named: str | None) -> str | None:
    """The key in the variable `named`, which must then be there, or in KEY."""
    from roi.errors import InputError

    key = os.environ.get(named or KEY, "").strip()
    if named is not None and not key:
        raise InputError(f"--api-key-env: there is no {named[:60]} in the environment")
    if not key.isascii() or not key.isprintable():
        raise InputError(f"--api-key-env: {named or KEY} holds signs that no header can carry")
    return key or None


def _gpu(name: str | None) -> str | None:
    """The catalog's name of the card; "cpu" and nothing stay as they are."""
    from roi.catalog.cards.gpus import find_gpu

    return name if name is None else "cpu" if name.lower() == "cpu" else find_gpu(name, "--gpu").id


def _catalog_model(name: str | None) -> str | None:
    from roi.catalog.models.shapes import find_model

    return None if name is None else find_model(name, "--catalog-model").id
