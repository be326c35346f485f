"""A server's profile from benchmark files of other tools; which tool wrote a file is seen from its contents."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from roi.catalog.models.shapes import known_model
from roi.disk import parse_json, read_text
from roi.errors import InputError
from roi.facts.environment import Environment
from roi.facts.serve_profile import ServeProfile
from roi.store.imports import fields
from roi.store.imports.aiperf import read_aiperf
from roi.store.imports.fields import Json
from roi.store.imports.guidellm import read_guidellm
from roi.store.imports.points import Imported, Stated
from roi.store.imports.vllm_bench import read_vllm

TOOLS: Final = ("vllm bench serve (--save-detailed), sglang.bench_serving (--output-details), guidellm (benchmarks.json),"
                " aiperf (profile_export.jsonl)")
MOST_BYTES: Final = 256 * 2**20
"""Bytes of a tool's results at most, every request among them."""
AIPERF_SUMMARY: Final = "profile_export_aiperf.json"
AIPERF_RECORDS: Final = "profile_export.jsonl"
GUIDELLM_REPORT: Final = "benchmarks.json"


def read_benchmark(paths: Path | Sequence[Path], stated: Stated | None = None) -> ServeProfile:
    """The profile that these files hold, a point for each run in them; all of one tool and one model.

    Raises InputError with file and field where one cannot be used; a file with summaries only names the tool's option that
    keeps the requests.
    """
    stated = stated or Stated()
    files = [paths] if isinstance(paths, Path) else list(paths)
    found = [_imported(path) for path in files]
    tools, models = {one.tool for one in found}, {one.served_model for one in found if one.served_model}
    if len(tools) > 1:
        raise InputError(f"--import: files of {' and '.join(sorted(tools))} cannot make one profile")
    if len(models) > 1:
        raise InputError(f"--import: files of the models {' and '.join(sorted(models))} cannot make one profile")
    served = next(iter(models), stated.model)
    if served is None:
        raise InputError(f"--import: {files[0].name} names no model; name it with --catalog-model")
    shape = known_model(stated.model or served)
    started = [one.started for one in found if one.started]
    versions = {name: text for one in found for name, text in one.versions.items()}
    return ServeProfile(
        started=min(started) if started else datetime.fromtimestamp(files[0].stat().st_mtime, UTC),
        environment=Environment(device="none", versions=versions), url=found[0].tool, served_model=served,
        model=(stated.model or served) if shape is None else shape.id, gpu=stated.gpu, gpus=stated.gpus, engine=stated.engine,
        weight_dtype=stated.weight_dtype, kv_dtype=stated.kv_dtype, kv_capacity_tokens=stated.kv_capacity_tokens,
        counted_by="stated", prompt_counted_by="stated", points=tuple(p for one in found for p in one.points),
        complete=all(one.complete for one in found), tool=found[0].tool,
        notes=tuple(dict.fromkeys(note for one in found for note in one.notes)))


def _imported(path: Path) -> Imported:
    """The points of one file; which tool wrote it is seen from its first value."""
    if path.is_dir():
        inside = [path / name for name in (AIPERF_RECORDS, GUIDELLM_REPORT) if (path / name).is_file()]
        if not inside:
            raise InputError(f"--import: the folder {path.name} holds no {AIPERF_RECORDS} (aiperf) and no {GUIDELLM_REPORT} "
                             "(guidellm); of another tool name the files, --import once for each")
        path = inside[0]
    where = f"--import: {path.name}"
    documents = _documents(path, where)
    if len(documents) == 1 and isinstance(documents[0], list) and documents[0]:
        [documents] = documents  # the runs of vllm bench sweep
    first = documents[0] if isinstance(documents[0], dict) else {}
    with fields.told(where):
        if first.keys() >= {"request_throughput", "total_input_tokens"}:
            return read_vllm(documents, where)
        if isinstance(first.get("benchmarks"), list):
            return read_guidellm(first, where)
        if fields.dig(first, "metadata", "request_start_ns") is not None:
            beside = path.with_name(AIPERF_SUMMARY)
            return read_aiperf(documents, _documents(beside, where)[0] if beside.is_file() else None, where)
    if first.keys() >= {"input_config", "request_latency"}:
        raise InputError(f"{where}: holds only the summary: give {AIPERF_RECORDS} beside it (aiperf --export-level records)")
    if isinstance(first.get("metrics"), dict):
        raise InputError(f"{where}: its records have no metadata.request_start_ns, of an aiperf before it had one: a newer has")
    raise InputError(f"{where}: is of no tool known here; {TOOLS}; what others measure (llama-bench, genai-perf,"
                     " trtllm-bench) goes into a table for roi calibrate --add (docs/tables.md)")


def _documents(path: Path, where: str) -> list[Json]:
    """The JSON value of the file, or that of each of its lines."""
    text = read_text(path, MOST_BYTES, "--import: ", "a benchmark's results", packed=True)
    try:
        return [parse_json(text)]
    except RecursionError:
        raise InputError(f"{where}: is nested too deeply") from None
    except ValueError:
        pass
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                found.append(parse_json(line))
            except (ValueError, RecursionError) as error:
                raise InputError(f"{where}: is neither JSON nor JSON lines (line {number}: {error})") from None
    if not found:
        raise InputError(f"{where}: is empty")
    return found
