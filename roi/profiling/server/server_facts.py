"""What a server says of itself: its models, its engine and version, and the tokens that its KV cache holds."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from roi.errors import UNSEEN, InputError, RoiError, first_of, nearest, visible
from roi.profiling.server.dialect import failure, message, told_limit
from roi.profiling.server.http_client import Answer, HttpClient
from roi.profiling.server.server_json import Json, block, blocks, json_object, positive, written_count

OWNERS: Final = {"vllm": "vllm", "sglang": "sglang", "llamacpp": "llama.cpp", "library": "ollama"}
"""Who owns a model in /v1/models, where that tells the engine."""
QUESTIONS: Final = 8
"""Most GET requests: /v1/models, six of ENGINES, and vLLM's /metrics."""
REFUSED: Final = {401, 403}
NO_SUCH_PATH: Final = {404, 405, 501}
"""Statuses by which a key is refused, and of a path that a server does not have."""
ENGINES: Final = (
    ("/version", "vllm", {"version"}),
    ("/get_server_info", "sglang", {"version", "max_total_num_tokens"}),
    ("/server_info", "sglang", {"version", "max_total_num_tokens"}),
    ("/info", "tgi", {"model_id", "version"}),
    ("/props", "llama.cpp", {"default_generation_settings"}),
    ("/api/version", "ollama", {"version"}),
)
"""(Path on which an engine tells of itself, its name, keys that its answer has)."""
LISTED: Final = 6
"""Models that are named of those that a server lists."""
WAIT_S: Final = 10.0
"""Seconds that one of these answers is waited for; a server that is busy with others takes longer for tokens, not for these."""


@dataclass(frozen=True)
class ServerFacts:
    """What a server says of itself; None or empty where it says nothing."""

    models: Mapping[str, str] = field(default_factory=dict)
    """Name -> where its weights come from (`root`), or the name again."""
    adapters: frozenset[str] = frozenset()
    """Names of models that are adapters: the server lists a parent of theirs."""
    engine: str | None = None
    version: str | None = None
    kv_dtype: str | None = None
    kv_tokens: float | None = None


async def ask_server(client: HttpClient) -> ServerFacts:
    """The facts. Sends at most QUESTIONS GET requests.

    An InputError where what was typed leads to no such server, or the key is refused; a RoiError where the server fails.
    """
    answer = await _get(client, "/v1/models")
    listed = json_object(bytes(answer.body))
    _check_listed(answer, listed, client)
    data = blocks((listed or {}).get("data")) if answer.status == 200 else []
    rows = [row for row in data if _is_name(row.get("id"), client)]
    models = {row["id"]: row["root"] if _is_name(row.get("root"), client) else row["id"] for row in rows}
    adapters = frozenset(row["id"] for row in rows if row.get("parent"))
    owners = {OWNERS.get(str(row.get("owned_by")).lower()) for row in rows}
    return await _ask_engine(client, ServerFacts(models, adapters), next(iter(owners)) if len(owners) == 1 else None)


def _check_listed(answer: Answer, listed: Json | None, client: HttpClient) -> None:
    """Raise where the answer to /v1/models says that no load can be sent. Without such a list (404) it can."""
    url, status = client.endpoint.url, answer.status
    if status is None:
        refused = InputError if answer.foreign else RoiError
        raise refused(f"URL: no answer from {url}: {answer.problem or 'cut off'}")
    if status in REFUSED:
        raise refused_key(client, f"HTTP {status}: {message(bytes(answer.body), client.hide)}")
    said = failure(answer, client.hide) or ""
    if 300 <= status < 400:
        raise InputError(f"URL: {url}/v1/models: {said}")
    if status == 429 or (status >= 500 and status not in NO_SUCH_PATH):
        raise RoiError(f"URL: {url}/v1/models: {told_limit(said)}")
    if status == 200 and listed is None:
        if answer.problem is not None:
            raise (InputError if answer.foreign else RoiError)(f"URL: {url}/v1/models: {said}")
        raise no_api(client, "/v1/models", answer)


def refused_key(client: HttpClient, said: str) -> InputError:
    """The error for a key that the server does not take, or for none."""
    return InputError(f"{client.endpoint.url} refuses the key ({said}); put it into OPENAI_API_KEY, or name its "
                      "variable with --api-key-env")


def no_api(client: HttpClient, path: str, answer: Answer) -> InputError:
    """The error for a URL where pages are, not an API."""
    kind = visible(client.hide(answer.headers.get("content-type", "no type").split(";")[0])[:40])
    return InputError(f"URL: {client.endpoint.url}{path} answers with {kind}, not JSON: no OpenAI-compatible server")


def choose_served(asked: str | None, facts: ServerFacts, adapters: Sequence[str]) -> str:
    """The name to send: what was asked for, or the only one that is no adapter, as the server or `adapters` says."""
    if asked is not None:
        return asked
    bases = [name for name in facts.models if name not in {*facts.adapters, *adapters}]
    if len(bases) == 1:
        return bases[0]
    listed = f"the server lists {first_of(bases, LISTED)}" if bases else (
        "the server lists none at /v1/models; is it an OpenAI-compatible one?")
    raise InputError(f"--model: which one? {listed}")


def unlisted(served: str, facts: ServerFacts) -> str | None:
    """A remark where the server answers to a name that is not among those it lists; None where it is, or it lists none."""
    if not facts.models or {served, f"{served}:latest"} & facts.models.keys():  # Ollama's names may leave out this tag
        return None
    return (f"the server lists {first_of([*facts.models], LISTED)}, not {served[:80]!r}, and answered to it all the same: which"
            " model was measured is not sure")


def unknown_model(name: str, facts: ServerFacts, said: str, field: str = "--model") -> InputError:
    """The error for a name that the server does not know, with the nearest that it lists."""
    near = nearest(name, facts.models) or list(facts.models)[:3]
    hint = f"; it lists {', '.join(near)}" if near else ""
    return InputError(f"{field}: the server does not serve {name[:80]!r}{f' ({said})' if said else ''}{hint}")


async def _ask_engine(client: HttpClient, facts: ServerFacts, owner: str | None) -> ServerFacts:
    """`facts` with what the engine's own pages say; the owner of the models tells which pages to ask."""
    for path, engine, keys in ENGINES:
        if owner is not None and engine != owner:
            continue
        answer = await _get(client, path)
        found = json_object(bytes(answer.body)) if answer.status == 200 else None
        if found is None or not keys <= found.keys():
            continue
        version = client.hide(str(found.get("version") or found.get("build_info") or ""))
        kv_tokens, kv_dtype = _kv(engine, found)
        if engine == "vllm":
            kv_tokens, kv_dtype = await _vllm_cache(client)
            if owner is None and kv_tokens is None:  # others have a /version too
                continue
        said = visible(version[:60]) or None
        kv_dtype = kv_dtype if _is_name(kv_dtype, client) else None
        return replace(facts, engine=engine, version=said, kv_dtype=kv_dtype, kv_tokens=kv_tokens)
    return replace(facts, engine=owner)


def _kv(engine: str, found: Json) -> tuple[float | None, str | None]:
    """(tokens, dtype) of the KV cache in an engine's own words."""
    if engine == "sglang":
        dtype = found.get("kv_cache_dtype")
        return positive(found["max_total_num_tokens"]), dtype if isinstance(dtype, str) and dtype != "auto" else None
    if engine == "tgi":
        return positive(found.get("max_batch_total_tokens")), None
    if engine == "llama.cpp":  # n_ctx is of one slot
        context = positive(block(found["default_generation_settings"]).get("n_ctx"))
        slots = positive(found.get("total_slots"))
        return (context * slots if context and slots else None), None
    return None, None


async def _vllm_cache(client: HttpClient) -> tuple[float | None, str | None]:
    """(tokens, dtype) from vLLM's metrics: its own count, else blocks times their size; None where they are not there."""
    answer = await _get(client, "/metrics")
    line = re.search(rb"^vllm:cache_config_info\{(.*)\} [\d.]+", bytes(answer.body), re.MULTILINE)
    if answer.status != 200 or line is None:
        return None, None
    labels = dict(re.findall(r'(\w+)="([^"]*)"', line[1][:8192].decode("utf-8", errors="replace")))
    size, held = written_count(labels.get("block_size", "")), written_count(labels.get("num_gpu_blocks", ""))
    dtype = labels.get("cache_dtype", "auto")
    counted = written_count(labels.get("kv_cache_size_tokens", ""))  # newer ones count it: layers may keep unlike caches
    tokens = positive(counted or (size * held if size and held else None))
    return tokens, None if dtype == "auto" else dtype[:20]


async def _get(client: HttpClient, path: str) -> Answer:
    answer = Answer()
    await client.send(path, None, answer, WAIT_S)
    return answer


def _is_name(value: object, client: HttpClient) -> bool:
    """True for a text that can stand in JSON and in a message, and has no piece of the key."""
    return isinstance(value, str) and 0 < len(value) <= 200 and not UNSEEN.search(value) and client.hide(value) == value
