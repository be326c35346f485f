"""`roi profile serve`: load on an OpenAI-compatible server, measured from outside."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

if TYPE_CHECKING:
    from roi.catalog.traces import Trace
    from roi.profiling.serve_design import PlannedPoint

INTERRUPTED = 130
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
@click.option("--adapters", help="Names of unmerged adapters to spread the requests over, with commas.")
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
    arrivals: str, rate: float | None, trace: Path | None, adapters: str | None, merged: bool, gpu: str | None, gpus: int,
    engine: str | None, weight_dtype: str | None, kv_dtype: str | None, kv_tokens: float | None, catalog_model: str | None,
    tokenizer: Path | None, api_key_env: str | None, ttft_p95: float, tpot_p95: float, budget: str, timeout: str, stall: str,
    only_plan: bool, output: Path | None, profiles: Path | None, form: str,
) -> None:
    """Put load on the OpenAI-compatible server at URL, and keep every request's timestamps.

    vLLM, SGLang, TGI, Ollama, llama.cpp, transformers serve and others. Closed loops with so many requests in flight tell how
    a step's time depends on sequences, context and prompts; an open loop with random arrivals checks it. What will be
    sent is said first, and no more is sent; --plan says it and stops. The key is read from the environment and kept nowhere.
    """
    from roi.cli.profile_words import MOST_SEQUENCES, check_new, read_counts, read_names, read_seconds

    if url is None:
        raise click.UsageError("URL: which server? for example http://localhost:8000")
    seconds = read_seconds(budget, "--budget")
    timeout_s, stall_s = read_seconds(timeout, "--timeout"), read_seconds(stall, "--stall")
    levels = read_counts(concurrency, "--concurrency", MOST_SEQUENCES)
    inputs = read_counts(input_tokens, "--input-tokens", MOST_TOKENS)
    outputs = read_counts(output_tokens, "--output-tokens", MOST_TOKENS)
    names = read_names(adapters, "--adapters")
    if names and merged:
        raise click.UsageError("--merged: adapters are merged or spread over names; leave out --merged or --adapters")
    if arrivals == "open" and rate is None and trace is None:
        raise click.UsageError("--arrivals open: at which rate? --rate 2, or --trace FILE")
    if arrivals == "closed" and (rate is not None or trace is not None):
        raise click.UsageError("--arrivals closed: leave out --rate and --trace, which are for an open loop")
    check_new(output, profiles)
    key = _key(api_key_env)

    from roi.catalog.profiles import save_profile
    from roi.cli.output import write
    from roi.errors import RoiError
    from roi.profiling.progress import show_progress
    from roi.profiling.serve import ServeRequest, Stated, profile_serve
    from roi.profiling.serve_design import ServePlan, closed_points
    from roi.profiling.serve_prompts import token_counter
    from roi.profiling.serve_wire import read_url
    from roi.report.profile_serve import serve_json, serve_text
    from roi.report.serve_plan import plan_json, plan_text

    place = read_url(url)
    stated = Stated(_gpu(gpu), gpus, engine, weight_dtype, kv_dtype, kv_tokens, _catalog_model(catalog_model), merged)
    seed = secrets.randbits(31)  # a new one each time: a server's prefix cache knows the prompts of the last
    closed = () if arrivals == "open" else closed_points(levels, inputs, outputs, requests, seed)
    opened = () if arrivals == "closed" else (_open_point(trace, inputs, outputs, requests, rate, seed),)
    plan = ServePlan((*closed, *opened))
    with_key = key is not None
    if only_plan:
        write({"table": plan_text, "json": plan_json}[form](plan, place.url, seconds, key=with_key))
        return
    count = None if tokenizer is None else token_counter(tokenizer)
    click.echo(plan_text(plan, place.url, seconds, key=with_key), err=True)
    request = ServeRequest(place, key, served, plan, seed, seconds, timeout_s, stall_s, names, stated, count)
    with show_progress() as watcher:
        run = profile_serve(request, watcher)
    file = save_profile(run.profile, profiles, output)
    write({"table": serve_text, "json": serve_json}[form](run.profile, ttft_p95, tpot_p95, file))
    if run.interrupted:
        raise Exit(INTERRUPTED)
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


def _read_trace(path: Path) -> "Trace":
    """The trace; Parquet goes through the usage room, which alone reads it."""
    from roi.catalog.traces import read_trace

    if path.suffix.lower() in {".parquet", ".pq"}:
        from roi.usage.trace import read_parquet_trace

        return read_parquet_trace(path)
    return read_trace(path)


def _open_point(trace: Path | None, inputs: Sequence[int], outputs: Sequence[int], requests: int | None, rate: float | None,
                seed: int) -> "PlannedPoint":
    """The open loop: by the trace where there is one, else Poisson arrivals."""
    from roi.profiling.serve_design import poisson_point, trace_point

    if trace is None:
        return poisson_point(inputs, outputs, requests, rate, seed)
    found = _read_trace(trace)
    return trace_point(
        found.arrival_s.tolist(), found.input_tokens.tolist(), found.output_tokens.tolist(), requests, rate)


def _gpu(name: str | None) -> str | None:
    """The catalog's name of the card; "cpu" and nothing stay as they are."""
    from roi.catalog.gpus import find_gpu

    return name if name is None else "cpu" if name.lower() == "cpu" else find_gpu(name, "--gpu").id


def _catalog_model(name: str | None) -> str | None:
    from roi.catalog.models import find_model

    return None if name is None else find_model(name, "--catalog-model").id
