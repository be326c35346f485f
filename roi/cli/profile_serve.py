"""`roi profile serve`: load on an OpenAI-compatible server, measured from outside."""

import os
import secrets
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from roi.cli import profile_options as shared
from roi.cli.options import Choice, Number, tell
from roi.errors import InputError, visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from roi.facts.serve_profile import ServeProfile
    from roi.profiling.progress import Watcher
    from roi.profiling.server.endpoint import Endpoint
    from roi.profiling.server.server_run import ServeRun
    from roi.profiling.stops import Stops

KEY = "OPENAI_API_KEY"
MOST_TOKENS = 1_000_000

tokens_option = partial(click.option, callback=partial(shared.read_counts, most=MOST_TOKENS), show_default=True)


@click.command()
@click.argument("url", required=False)
@click.option("--launch", type=Choice(("vllm", "sglang", "transformers", "llama-server")),
              help="Start this engine on loopback with MODEL in URL's place, and end it.")
@click.option("--engine-args", default="", help="With --launch: further options of the engine, as one word.")
@shared.force_option
@shared.seconds_option("--start-timeout", default="10m", help="With --launch: time until the server answers.")
@click.option("--model", "served", help="Name that the server knows the model by.  [default: the only one it lists]")
@shared.sequences_option("--concurrency", default="1,8,32", help="Requests in flight of the closed loops, with commas.")
@tokens_option("--input-tokens", default="128,1024", help="Prompt tokens, with commas.")
@tokens_option("--output-tokens", default="64,192", help="Output tokens, with commas.")
@click.option("--requests", type=click.IntRange(1, 100_000),
              help="Requests of each load.  [default: 4 for each in flight, 64 of the open loop, the whole trace]")
@click.option("--arrivals", type=Choice(["both", "closed", "open"]), default="both", show_default=True,
              help="Closed loops, an open loop, or both.")
@click.option("--rate", type=Number(0.0, 1e5, min_open=True),
              help="Requests a second of the open loop.  [default: 60% of what the closed loops reach; a trace's own]")
@shared.file_option("--trace", help="Open loop by these arrivals and lengths: CSV or Parquet of roi usage --trace, or a "
                    "public Azure trace.")
@shared.file_option("--import", "imported", multiple=True,
                    help="Instead of a load: requests that the benchmarks of vLLM or SGLang, guidellm or aiperf measured.")
@click.option("--adapters", callback=shared.read_names,
              help="Names of unmerged adapters, with commas: loads with one and with all of them follow.")
@click.option("--merged", is_flag=True, help="The served weights have an adapter merged into them.")
@click.option("--gpu", help="The server's card, as the catalog names it; cpu for a server without.")
@click.option("--gpus", type=click.IntRange(1, 1024), default=1, show_default=True, help="Tensor-parallel GPUs of the server.")
@click.option("--engine", help="vllm, sglang, tgi, ..., or other.  [default: as the server says]")
@click.option("--weight-dtype", help="bf16, fp8, ...: how the weights are stored.")
@click.option("--kv-dtype", help="How the KV cache is stored.  [default: as the server says]")
@click.option("--kv-tokens", type=Number(1.0, 1e12), help="Tokens of its KV cache.  [default: as the server says]")
@click.option("--catalog-model", help="Catalog name of the model's shape.  [default: by the served name]")
@shared.file_option("--tokenizer", help="tokenizer.json (or its folder) that counts tokens here.")
@click.option("--api-key-env", metavar="NAME", help=f"Variable that holds the key; sent to URL only.  [default: {KEY}]")
@click.option("--ttft-p95", type=Number(0.0, 1e6, min_open=True), default=2.0, show_default=True,
              help="Limit of goodput on TTFT, s.")
@click.option("--tpot-p95", type=Number(0.0, 1e6, min_open=True), default=0.05, show_default=True,
              help="Limit of goodput on TPOT, s.")
@shared.seconds_option("--budget", default="5m", help="Time for all of it.")
@shared.seconds_option("--timeout", default="120s", help="Time for one request.")
@shared.seconds_option("--stall", default="60s", help="Silence after which the server counts as gone.")
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be sent, and send nothing.")
@shared.keep_options
def serve(
    *, url: str | None, launch: str | None, engine_args: str, force: bool, start_timeout: float, served: str | None,
    concurrency: tuple[int, ...], input_tokens: tuple[int, ...], output_tokens: tuple[int, ...], requests: int | None,
    arrivals: str, rate: float | None, trace: Path | None,
    imported: tuple[Path, ...], adapters: tuple[str, ...], merged: bool, gpu: str | None, gpus: int, engine: str | None,
    weight_dtype: str | None, kv_dtype: str | None, kv_tokens: float | None, catalog_model: str | None, tokenizer: Path | None,
    api_key_env: str | None, ttft_p95: float, tpot_p95: float, budget: float, timeout: float, stall: float, only_plan: bool,
    keep: shared.Keep,
) -> None:
    """Put load on the OpenAI-compatible server at URL, and keep every request's timestamps.

    With --launch the server is started here, on loopback and offline, and ended afterwards. In URL's place stands MODEL: a
    folder with weights, a GGUF file (llama-server), or a name of the catalog, whose weights are then dummies.

    vLLM, SGLang, TGI, Ollama, llama.cpp, transformers serve and others. Closed loops with so many requests in flight tell how
    a step's time depends on sequences, context and prompts; an open loop with random arrivals checks it. What will be
    sent is said first, and no more is sent; --plan says it and stops. The key is read from the environment and kept nowhere.

    Exit code: 0 measured; 2 the URL, the key, the model or an option is unusable; 1 the server failed or cannot be reached; 130
    Ctrl-C, 143 SIGTERM: what was measured is kept, also after 1.
    """
    shared.check_formats(weight_dtype, kv_dtype)
    for clash, why in (
        (imported and only_plan, "--plan says what would be sent; --import sends nothing: leave out one of them"),
        (arrivals == "open" and rate is None and trace is None, "--arrivals open: at which rate? --rate 2, or --trace FILE"),
        (arrivals == "closed" and not (rate is None and trace is None),
         "--arrivals closed: leave out --rate and --trace, which are for an open loop"),
        (adapters and merged, "--merged: adapters are merged or spread over names; leave out --merged or --adapters"),
    ):
        if clash:
            raise click.UsageError(why)
    key = None if launch is not None else _key(api_key_env)

    from roi.answers.opening import open_trace
    from roi.catalog.cards.gpus import find_gpu
    from roi.catalog.models.shapes import find_model
    from roi.cli.output import write
    from roi.profiling.progress import show_progress
    from roi.profiling.server.endpoint import read_url
    from roi.profiling.server.launch import free_port
    from roi.profiling.server.load_design import plan_loads
    from roi.profiling.server.measured_server import profile_serve
    from roi.profiling.server.probe import token_counter
    from roi.profiling.server.server_run import ServeRequest
    from roi.profiling.stops import catch_stops
    from roi.report.profiles.profile_serve import plan_json, plan_text
    from roi.store.imports.benchmarks import read_benchmark
    from roi.store.imports.points import Stated

    stated = Stated(model=None if catalog_model is None else find_model(catalog_model, "--catalog-model").id,
                    gpu=gpu if gpu is None else "cpu" if gpu.lower() == "cpu" else find_gpu(gpu, "--gpu", "--gpus").id,
                    gpus=gpus, engine=shared.known_engine(engine), weight_dtype=weight_dtype, kv_dtype=kv_dtype,
                    kv_capacity_tokens=kv_tokens)
    if imported:
        if url is not None:
            raise click.UsageError("--import: nothing is sent where files are read; leave out URL or --import")
        _keep_and_tell(read_benchmark(imported, stated), keep, ttft_p95, tpot_p95)
        return
    words = _words(engine_args, launch)
    url = _asked(url, launch, words)
    endpoint = read_url(url if launch is None else f"http://127.0.0.1:{free_port()}")
    if key is not None and api_key_env is None and not endpoint.private:
        tell(f"the key in {KEY} is not sent to {endpoint.url}, where anybody on the way could read it: use https, or name the "
             "variable with --api-key-env")
        key = None
    seed = secrets.randbits(31)  # a new one each time: a server's prefix cache knows the prompts of the last
    plan = plan_loads(concurrency, input_tokens, output_tokens, requests, seed, arrivals=arrivals, rate=rate,
                      adapters=len(adapters), trace=None if trace is None else open_trace(trace))
    if only_plan:
        write({"table": plan_text, "json": plan_json}[keep.form](plan, endpoint.url, budget, key=key is not None))
        return
    said = plan_text(plan, endpoint.url, budget, key=key is not None)
    request = ServeRequest(endpoint=endpoint, key=key, served_model=served, plan=plan, seed=seed, budget_s=budget,
                           timeout_s=timeout, stall_s=stall, adapters=adapters, merged=merged, stated=stated,
                           count=None if tokenizer is None else token_counter(tokenizer))
    measure: Callable[[Watcher, Stops], ServeRun] = partial(profile_serve, request)
    if launch is not None:
        from roi.profiling.launched_run import LaunchOrder, profile_launched  # torch takes seconds to import

        measure = partial(profile_launched, LaunchOrder(launch, url, gpus, start_timeout, words, force=force, said=said),
                          request)
    else:
        _announce(said, endpoint)
    with catch_stops() as stops:
        with show_progress() as watcher:
            run = measure(watcher, stops)
        _keep_and_tell(run.profile, keep, ttft_p95, tpot_p95)
        shared.leave_if_cut(stops, interrupted=run.interrupted, failure=run.failure)


def _announce(said: str, endpoint: "Endpoint") -> None:
    """Say what will be sent, to a host that has an address."""
    from roi.profiling.server.http_client import find_host

    find_host(endpoint)
    click.echo(visible(said, "\n"), err=True)


def _keep_and_tell(profile: "ServeProfile", keep: shared.Keep, most_ttft_s: float, most_tpot_s: float) -> None:
    """Keep the profile, and tell it with the step that is fitted on it."""
    from roi.cli.output import write
    from roi.evidence.measured_servers import fit_serve
    from roi.report.profiles.profile_serve import serve_json, serve_text
    from roi.store.profiles.lookup import save_profile

    file = save_profile(profile, keep.profiles, keep.output)
    tell = {"table": serve_text, "json": serve_json}[keep.form]
    write(tell(profile, fit_serve(profile), most_ttft_s, most_tpot_s, file))


def _asked(url: str | None, launch: str | None, words: tuple[str, ...]) -> str:
    """URL, or with --launch MODEL, which is then something that the engine serves here."""
    if url is None:
        raise click.UsageError("URL: which server? for example http://localhost:8000; or --import FILE" if launch is None else
                               "MODEL: which model? a folder with weights, or a name of the catalog")
    if launch is not None:
        from roi.profiling.server.launch import check_launch

        check_launch(launch, url, words)
    return url


def _words(text: str, launch: str | None) -> tuple[str, ...]:
    """The engine's further options, as a shell would part them."""
    if text and launch is None:
        raise click.UsageError("--engine-args: are those of a server that --launch starts")
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise InputError(f"--engine-args: {text[:60]!r} is not usable: {error}") from error


def _key(named: str | None) -> str | None:
    """The key in the variable `named`, which must then be there, or in KEY."""
    key = os.environ.get(named or KEY, "").strip()
    if named is not None and not key:
        raise InputError(f"--api-key-env: there is no {named[:60]} in the environment")
    if not key.isascii() or not key.isprintable():
        raise InputError(f"--api-key-env: {named or KEY} holds signs that no header can carry")
    return key or None
