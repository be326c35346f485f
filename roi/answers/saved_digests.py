"""What of a saved comparison was edited: digests of its parts, and a short one of each fact, by which those are named."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from roi.errors import first_of

OUTSIDE = frozenset({"case", "scenario", "digest", "digests", "file"})
"""Keys of a saved comparison that are no part of its answer; `file` comes from a folder's line."""
SHORT = 3
"""Hex digits of a fact's digest: 1 edit in 4,096 shows in that of the case alone."""
LARGE = 2**1000
"""Integers from here on are no floats."""
NAMED, MOST_GONE = 3, 1000
"""Edited facts that are named; those taken out that are looked for."""

Json = dict[str, Any]  # Any: plain JSON values


def digest_of(x: Any) -> str:  # Any: JSON
    """A digest of JSON, 16 hex digits; 1 and 1.0 are the same number."""
    def plain(x: Any) -> Any:  # Any: JSON
        if isinstance(x, dict):
            return {name: plain(each) for name, each in x.items()}
        if isinstance(x, list):
            return [plain(each) for each in x]
        return float(x) if type(x) is int and abs(x) < LARGE else x

    return sha256(json.dumps(plain(x), sort_keys=True).encode()).hexdigest()[:16]


def digests_of(body: Json) -> Json:
    """The digests of a saved comparison's scenario and answer, and of each of its facts in the order of their paths."""
    return {"scenario": digest_of(body.get("scenario")),
            "answer": digest_of({name: x for name, x in body.items() if name not in OUTSIDE}),
            "facts": "".join(_short(body["case"]).values())}


def edited_parts(body: Json) -> str:
    """What was edited after the file was written, in words; empty where nothing was, or where nobody can tell."""
    held, now, parts = body.get("digests"), digests_of(body), []
    known = held if isinstance(held, dict) else {}
    if body.get("digest") not in (None, digest_of(body["case"])):
        names = _edited(body["case"], str(known.get("facts", "")))
        parts.append(f"its facts ({first_of(names, NAMED)})" if names else "its facts")
    elif held is not None and known.get("facts") != now["facts"]:
        parts.append("its digests of the facts")
    parts += [f"its {part}" for part in ("scenario", "answer") if known and known.get(part) != now[part]]
    return " and ".join(parts)


def _short(case: Mapping[str, Any]) -> dict[str, str]:
    return {path: digest_of(case[path])[:SHORT] for path in sorted(case)}


def _edited(case: Mapping[str, Any], told: str) -> list[str]:
    """Paths of the facts whose digests are not among those told, and how many of these stand for no fact."""
    now, most = _short(case), SHORT * (MOST_GONE + len(case))
    was = [told[k : k + SHORT] for k in range(0, min(len(told), most), SHORT)]
    from difflib import SequenceMatcher

    changes = SequenceMatcher(None, was, list(now.values()), autojunk=False).get_opcodes() if was else []
    names = [path for kind, _, _, i, j in changes if kind != "equal" for path in list(now)[i:j]]
    gone = len(was) - len(now) + sum(j - i for kind, _, _, i, j in changes if kind == "insert")
    return [*names, *([f"{gone} taken out"] if gone > 0 else [])]
