"""A model of the Hub by its id, at one commit: its config.json, and the headers of its weights, which have the last word.

    hub:Qwen/Qwen3-8B@b968826d9c46  --model_info--> commit --config.json--> shape --safetensors headers--> count held equal

Only a name that begins with hub: opens the network. Weights stay where they are: of each file the header is read, some 100 kB.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from roi.catalog.models.configs import ModelConfig, read_config
from roi.errors import InputError, needs, visible

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from roi.facts.model import ModelShape

PREFIX: Final = "hub:"
NAME: Final = re.compile(r"hub:(?P<id>[\w.-]{1,96}/[\w.-]{1,96})(?:@(?P<revision>[\w./-]{1,120}))?", re.ASCII)
COMMIT: Final = re.compile(r"[0-9a-f]{40}")
PLAIN: Final = {"F64", "F32", "F16", "BF16"}
"""Types of safetensors that store one parameter an element."""
BUFFERS: Final = re.compile(r"(inv_freq|\.masked_bias|attn\.bias|position_ids)$")
"""Tensors that older checkpoints store and that no optimizer trains: rotary frequencies, causal masks, positions counted up."""
LAYER: Final = re.compile(r"(?:layers|h|blocks)\.(\d+)\.")
TIMEOUT_S: Final = 20.0
MOST_S: Final = 120.0
"""Seconds for all that is read of a model, which is some seconds' work."""
MOST_ANSWER: Final = 32 * 2**20
"""Bytes of one answer: the client reads headers of safetensors of up to 25 MB."""
OUTSIDE: Final = re.compile(r"""^"?[/\\]|\.\.|:""")
OF_THE_CACHE: Final = ("etag", "x-linked-etag", "x-repo-commit")
"""What the server says and the client calls files of its cache by."""
MOST_DIMENSIONS: Final = 8
MOST_ELEMENTS: Final = 2**40
"""Entries of a tensor, and along each of its dimensions, are fewer."""
Tensors = tuple[tuple[str, str, tuple[int, ...]], ...]


class HubModel(NamedTuple):
    """What the Hub holds of a model at one commit."""

    config: ModelConfig
    """Named owner/name@commit, the commit with 12 of its digits."""
    tensors: Tensors
    """(Name, type, shape) of each tensor of its safetensors; none where it has other files."""
    whole: bool
    """True where the configuration is that of the whole model, not of the text decoder in one with vision or audio."""

    def check(self, shape: "ModelShape") -> "ModelShape":
        """The shape with what its count was held against; an InputError where the headers hold another number."""
        held = stored_parameters(self.tensors, shape)
        if not self.tensors:
            said = "its weights are no safetensors, so that nothing holds the count"
        elif not self.whole:
            said = "its weights hold vision or audio besides, so that nothing holds the count of the text decoder"
        elif held is None:
            said = "its weights are packed, so that nothing holds the count"
        elif held != shape.parameters:
            raise InputError(
                f"MODEL: {self.config.name}: its config.json makes {shape.parameters:,} parameters, but the headers of its "
                f"weights hold {held:,}; it has code of its own, and a size that is wrong is not told",
            )
        else:
            said = "the headers of its weights hold as many"
        counted = {} if held != shape.parameters or not self.whole else {"published_parameters": held}
        note = f"read from the Hub; parameters are counted from its entries, and {said}"
        note += f"; {self.config.besides}" * bool(self.config.besides)
        return shape.model_copy(update={**counted, "note": note})


def is_hub_name(name: str) -> bool:
    """True for hub:owner/name, with a revision or without."""
    return name.startswith(PREFIX)


def read_hub_model(name: str) -> HubModel:
    """The model hub:owner/name[@revision]; the revision is a branch, a tag or a commit (default: the main branch's newest).

    Raises InputError where the name, the model or the revision is not there, is gated, or nobody answers; MissingExtra
    without huggingface_hub.
    """
    match = NAME.fullmatch(name)
    if match is None:
        raise InputError(f"MODEL: {name[:120]!r} is no model of the Hub; hub:owner/name, or hub:owner/name@commit")
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # read by the import: else it asks which program calls it, and says so
    with needs("profile", "huggingface_hub"):
        from huggingface_hub import HfApi, hf_hub_download  # half a second
        from huggingface_hub.errors import (
            EntryNotFoundError,
            GatedRepoError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )
        from huggingface_hub.utils.tqdm import disable_progress_bars
    repo, revision = match["id"], match["revision"] or "main"
    disable_progress_bars()
    api = HfApi()
    try:
        with _bounded():
            commit = _commit(api, repo, revision)
            file = Path(hf_hub_download(repo, "config.json", revision=commit, etag_timeout=TIMEOUT_S))
            tensors = _headers(api, repo, commit)
    except GatedRepoError as error:
        raise InputError(f"MODEL: {repo} is gated on the Hub: accept its terms there and log in (hf auth login), or give the "
                         "path of its config.json") from error
    except RevisionNotFoundError as error:
        raise InputError(f"MODEL: {repo} has no revision {revision!r} on the Hub; leave out the part after @") from error
    except LocalEntryNotFoundError as error:
        raise InputError(_unread(repo, "its config.json is not told")) from error
    except EntryNotFoundError as error:
        raise InputError(f"MODEL: {repo} has no config.json on the Hub; a model of transformers has one") from error
    except RepositoryNotFoundError as error:
        raise InputError(f"MODEL: the Hub has no model {repo!r}, or it is private; is it spelled as on its page?") from error
    except Exception as error:  # whichever HTTP library the Hub's client uses, and its own errors
        raise InputError(_unread(repo, str(error).partition("\n")[0] or type(error).__name__)) from error
    config = read_config(file)
    return HubModel(config._replace(name=f"{repo}@{commit[:12]}"), tensors, whole=not config.besides)


def _commit(api: "HfApi", repo: str, revision: str) -> str:
    """The commit that the revision stands for, which names a folder of the client's cache."""
    if COMMIT.fullmatch(revision):
        return revision
    commit = str(api.model_info(repo, revision=revision, timeout=TIMEOUT_S).sha)
    if not COMMIT.fullmatch(commit):
        raise ValueError(f"{commit[:40]!r} is no commit")
    return commit


def _unread(repo: str, why: str) -> str:
    return (f"MODEL: {repo} could not be read from the Hub ({visible(why[:160])}); "
            "give the path of its config.json where there is no network")


@contextmanager
def _bounded() -> Iterator[None]:
    """What the Hub's client is answered within has a length and an end, is not packed, and names no place outside its cache.

    A server that wants to be asked later (408, 429) is not waited for: it may say a year.
    """
    import logging

    from huggingface_hub import get_session
    from huggingface_hub.utils.logging import get_verbosity, set_verbosity

    ends_at = time.monotonic() + MOST_S

    def ask_plainly(request: Any) -> None:  # Any: of httpx or httpx2, whichever the client has
        request.headers["accept-encoding"] = "identity"

    def bound(response: Any) -> None:
        for name in OF_THE_CACHE:
            if OUTSIDE.search(response.headers.get(name, "").removeprefix("W/")):
                raise ValueError(f"a header {name} that is no name")
        if response.status_code in {408, 429}:
            raise ValueError(f"HTTP {response.status_code}: it wants to be asked later")
        if response.headers.get("content-encoding", "identity") != "identity":
            raise ValueError("a packed answer that nobody asked for")
        http = import_module(type(response).__module__.partition(".")[0])
        response.stream = _bounded_stream(response.stream, http.SyncByteStream, ends_at)

    hooks, heard = get_session().event_hooks, get_verbosity()
    set_verbosity(logging.CRITICAL)  # it tells each try
    hooks["request"].append(ask_plainly)
    hooks["response"].append(bound)
    try:
        yield
    finally:
        hooks["request"].remove(ask_plainly)
        hooks["response"].remove(bound)
        set_verbosity(heard)


def _bounded_stream(stream: Any, base: Any, ends_at: float) -> Any:
    """The stream, whose pieces end in a ValueError beyond MOST_ANSWER bytes and after `ends_at`."""

    class Bounded(base):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            left = MOST_ANSWER
            for piece in stream:
                left -= len(piece)
                if left < 0 or time.monotonic() > ends_at:
                    raise ValueError(f"more than {MOST_ANSWER:,} bytes" if left < 0 else f"not read after {MOST_S:g} s")
                yield piece

        def close(self) -> None:
            stream.close()

    return Bounded()


def _headers(api: "HfApi", repo: str, commit: str) -> Tensors:
    from huggingface_hub.errors import NotASafetensorsRepoError

    try:
        files = api.get_safetensors_metadata(repo, revision=commit, timeout=TIMEOUT_S).files_metadata
    except NotASafetensorsRepoError:
        return ()
    held = (item for file in sorted(files) for item in files[file].tensors.items())
    stored = tuple((name, str(each.dtype), tuple(each.shape)) for name, each in held)
    for name, _, size in stored:
        sizes = all(type(n) is int and 0 <= n < MOST_ELEMENTS for n in size)
        if len(size) > MOST_DIMENSIONS or not sizes or prod(size) >= MOST_ELEMENTS:
            raise ValueError(f"{name[:60]}: {str(size)[:40]} is no shape")
    return stored


def stored_parameters(tensors: Tensors, shape: "ModelShape") -> int | None:
    """Parameters that the headers hold, without buffers, a tied head and layers beyond the configuration's; None if packed."""
    total, packed = 0, False
    for name, dtype, size in tensors:
        index = LAYER.search(name)
        beyond = index is not None and int(index[1]) >= shape.layers  # layers that predict tokens further ahead
        if BUFFERS.search(name) or beyond or (shape.tied and name.endswith("lm_head.weight")):
            continue
        packed |= dtype not in PLAIN
        total += prod(size)
    return None if packed else total
