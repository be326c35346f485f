"""Values that programs stumble over, and text and JSON spoiled with them, as Hypothesis draws them."""

import json
from typing import Any

from hostile import NUMBERS, TEXTS
from hypothesis import strategies as st

texts = st.one_of(st.sampled_from(TEXTS), st.text(max_size=20), st.integers().map(str), st.floats().map(str))
values = st.recursive(
    st.one_of(st.sampled_from(NUMBERS), texts, st.integers(), st.floats(), st.dates().map(str)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)), max_leaves=4)


def places(data: Any, path: tuple = ()) -> list[tuple]:
    """Every place of a JSON value."""
    inside = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, value in inside for place in places(value, (*path, key)))]


@st.composite
def changed(draw, data: Any) -> Any:
    """The JSON value with one to three places taken out, filled with something else, or added to."""
    found = json.loads(json.dumps(data))
    for _ in range(draw(st.integers(1, 3))):
        where = [place for place in places(found) if place]
        if not where:
            break
        *way, last = draw(st.sampled_from(where))
        inside = found
        for key in way:
            inside = inside[key]
        match draw(st.sampled_from(("fill", "fill", "take out", "add"))):
            case "take out":
                del inside[last]
            case "add" if isinstance(inside, dict):
                inside[draw(texts)] = draw(values)
            case _:
                inside[last] = draw(values)
    return found


@st.composite
def torn(draw, text: str) -> bytes:
    """The text with pieces cut out, doubled or replaced, as bytes of any encoding."""
    raw = text.encode()
    for _ in range(draw(st.integers(1, 3))):
        at, size = draw(st.integers(0, len(raw))), draw(st.integers(0, 40))
        piece = draw(st.one_of(
            st.binary(max_size=12), texts.map(lambda x: x.encode("utf-8", "surrogatepass")), st.just(raw[at : at + size] * 2)))
        raw = raw[:at] + piece + raw[at + size :]
    return raw
