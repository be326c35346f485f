"""Other spellings of a model's name: separators, owners, number formats and packings, further trainings of one shape.

Nothing here is near enough to be guessed: sizes, generations and variants must be the catalog's own.
"""

import re
from typing import Final

FORMATS: Final = (
    r"(?:awq|gptq|fp8|fp4|nvfp4|mxfp4|int[48]|nf4|[wa]\d+a\d+|[2-8]-?bit|bf16|fp16|gguf|ggml|exl[23]|mlx|hqq|aqlm[-\w]*|marlin|bnb"
    r"|w-\w+-a-\w+|i?q\d(?:[-.](?:\d|k|xxs|xs|nl))?(?:-(?:s|m|l|xl))?|\d+g)(?:-v\d)?|dynamic|static|block|per-?tensor|quantized"
    r"|qat|kv"
)
"""Endings that name how the weights are packed; the caller states the format that it computes with."""

TRAININGS: Final = r"instruct|chat|hf|it|base|pt|beta|turbo|unsloth"
"""Endings that name another training of the same shape."""

ACTIVE: Final = re.compile(r"-a\d+(?:\.\d+)?b(?=-|$)")
"""The active parameters in a mixture's name: Qwen3-235B(-A22B)."""


def soft(name: str) -> str:
    """The name in lower case with dashes for spaces, underscores and colons, and points inside numbers (3_1)."""
    pointed = re.sub(r"(?<=\d)_(?=\d)", ".", name.strip().lower())
    return re.sub(r"[\s_:]+", "-", pointed)


def key(name: str) -> str:
    """What two spellings of one name share: `soft`, without the dash between a word and its number (llama-3 = llama3)."""
    return re.sub(r"(?<=[a-z])-(?=\d)", "", soft(name))


def without_endings(name: str, endings: str = f"{FORMATS}|{TRAININGS}") -> list[str]:
    """The soft name, then the same without its last ending, without the last two, and so on."""
    out = [soft(name)]
    while shorter := re.fullmatch(f"(.+?)[-.](?:{endings})", out[-1]):
        out.append(shorter[1])
    return out


def spellings(name: str) -> list[str]:
    """Keys under which the catalog may hold the name, from the least changed to the most.

    An owner is what stands before one slash; more slashes, or a point before the first, are a path, which is left whole.
    """
    whole = soft(name)
    owned = re.fullmatch(r"[\w-][\w.-]*/([^/]+)", whole)
    bare = owned[1] if owned else whole
    out = [whole, *without_endings(bare), *without_endings(re.sub(r"^meta[-.]", "", bare))]
    # a version in dashes, where a size follows: llama-3-1-8b, qwen2-5-72b
    dotted = [re.sub(r"^([a-z-]+\d)-(\d)-(\d+(?:\.\d+)?b)(?=-|$)", r"\1.\2-\3", each) for each in map(key, out)]
    return list(dict.fromkeys([*map(key, out), *dotted]))
