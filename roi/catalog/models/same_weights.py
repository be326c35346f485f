"""Which weights a name stands for: hosts call one released model by names of their own, packed and served as they see fit."""

import re
from functools import cache
from typing import Final

from roi.catalog.models.shapes import ACTIVE, FORMATS, key, known_model, pointed

FAMILY: Final = re.compile(r"^(?:(?:[a-z]+\.)+|databricks-)(?=[a-z])")
"""What clouds write before a name: meta.llama3-1-8b-instruct-v1:0, databricks-meta-llama-3-1-8b-instruct."""
CLOUD_VERSION: Final = re.compile(r"-v1:0$")
"""The first version of a cloud's entry, which is none of the weights'."""
POINT_P: Final = re.compile(r"(?<=[a-z-])v?(\d)p(\d)(?=-|$)")
"""A point as one host writes it: llama-v3p1-8b, qwen2p5-7b."""
BARE_V: Final = re.compile(r"(?<=-)v(\d)(?=-\d)")
"""A generation as the host that writes points so has it: llama-v3-8b."""
SERVED: Final = (
    r"instruct|chat|it|hf|turbo|fast|ultrafast|instant|versatile|specdec|basic|latest|free|maas|unsloth|4096|8192|32768"
)
"""Endings that name how the tuned release is served, or that it is that: a bare name stands for it, "base" does not."""
OF_SEVERAL: Final = re.compile("[+>]")
"""What tells the name of more than one released model: a tuned one (model+lora), or a cascade (model > model)."""
CLOSED: Final = re.compile(r"claude-(?:opus|sonnet|haiku|fable|mythos)-\d+(?:-\d+)?|(?:gpt-\d|o\d|gemini-)[a-z0-9.-]*")
"""What makers call their closed models, from Claude 4 on; older ones have releases of one name by date, which differ."""
RELEASED: Final = re.compile(r"(?<=^claude-)(.+-\d+)[-@]20\d{6}$")
"""The day of a release as Anthropic and clouds write it: claude-haiku-4-5-20251001."""
SNAPSHOT: Final = re.compile(r"^((?:gpt-(?:4\.1|[5-9])|o\d)(?!.*-chat).*)-20\d\d(?:-\d\d-\d\d|\d{4})$")
"""The day of a release as OpenAI's answers write it: gpt-5.4-2026-03-05. From GPT-4.1 and o1 on a name has one release, but for
ChatGPT's models."""


@cache
def weights_of(name: str) -> str | None:
    """One key for every name of the same released weights; None for what the catalog knows no open model by.

    Owner, packing and a host's way of serving do not matter. Trainings of the same shape are other weights (a distillation, a
    dated release, a coder), and so is what was tuned (model+lora) or answers in a cascade.
    """
    if OF_SEVERAL.search(name):
        return None
    bare = FAMILY.sub("", CLOUD_VERSION.sub("", name.strip().lower().rpartition("/")[2]).replace("v0:", "v0."))
    bare = BARE_V.sub(r"\1", POINT_P.sub(r"\1.\2", bare)).removeprefix("meta-").replace(":", "-")
    while shorter := re.fullmatch(f"(.+?)[-.](?:{FORMATS}|{SERVED})", bare):
        bare = shorter[1]
    short = ACTIVE.sub("", pointed(key(bare)))
    return short if known_model(short) is not None or known_model(bare) is not None else None


def closed_name(name: str) -> str | None:
    """What its maker calls a closed model that clouds and gateways resell; None for any other name.

    A region, the maker's name before it, the day of an only release, and points for dashes do not matter.
    """
    if OF_SEVERAL.search(name):
        return None
    bare = FAMILY.sub("", CLOUD_VERSION.sub("", name.strip().lower().rpartition("/")[2]))
    if bare.startswith("claude-"):
        bare = RELEASED.sub(r"\1", bare.replace(".", "-"))
    bare = SNAPSHOT.sub(r"\1", bare)
    return bare if CLOSED.fullmatch(bare) else None


def same_weights(name: str, other: str) -> bool:
    """True where both names stand for the same released weights of an open model, or for one closed model that is resold."""
    found, beside = (weights_of(each) or closed_name(each) for each in (name, other))
    return found is not None and found == beside


def one_model(name: str, other: str) -> bool:
    """True where both names are of one model: the same behind a vendor's name, the same weights, or one that is resold."""
    return name.rpartition("/")[2] == other.rpartition("/")[2] or same_weights(name, other)
