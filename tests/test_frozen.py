"""The dataclass of roi.frozen is what the standard's is: built, printed, compared, hashed, copied, pickled, refused alike."""

import dataclasses
import inspect
import pickle
from functools import cached_property
from typing import Any

import pytest

from roi import frozen


def both(body: dict[str, Any], **asked: Any) -> tuple[Any, Any]:
    """The same class made by the standard library and by roi."""
    def made(decorate: Any) -> Any:
        return decorate(type("Thing", (), {"__doc__": "A thing.", "__module__": __name__, **body}), frozen=True, **asked)

    return made(dataclasses.dataclass), made(frozen.dataclass)


FIELDS = {
    "__annotations__": {"a": int, "b": float, "c": list[int], "d": str, "e": int},
    "b": 2.5, "c": dataclasses.field(default_factory=list), "d": dataclasses.field(default="x", repr=False, compare=False),
    "e": dataclasses.field(default=7, init=False),
}  # fmt: skip


@pytest.mark.parametrize("kw_only", [False, True])
def test_a_record_is_what_the_standard_makes_of_it(kw_only: bool) -> None:
    ours, theirs = reversed(both(FIELDS, kw_only=kw_only))
    assert inspect.signature(ours) == inspect.signature(theirs).replace(
        parameters=[p.replace(default=inspect.signature(ours).parameters[n].default) if n == "c" else p
                    for n, p in inspect.signature(theirs).parameters.items()])
    for given in ({"a": 1}, {"a": 1, "b": 0.5, "c": [1], "d": "y"}):
        x, y = ours(**given), theirs(**given)
        assert repr(x) == repr(y)
        assert dataclasses.asdict(x) == dataclasses.asdict(y)
        assert x == ours(**given) != dataclasses.replace(x, a=2)
        assert x == dataclasses.replace(x, d="not compared")
        assert x != y
    assert ours(a=1).c is not ours(a=1).c
    for wrong in ({}, {"a": 1, "z": 2}, {"a": 1, "e": 2}):
        with pytest.raises(TypeError):
            ours(**wrong)
    assert [f.name for f in dataclasses.fields(ours)] == [f.name for f in dataclasses.fields(theirs)]


def test_a_record_is_frozen_and_hashed_by_its_values() -> None:
    for made in both({"__annotations__": {"a": int, "b": str}, "b": "x"}):
        record = made(1)
        assert hash(record) == hash((1, "x"))
        assert made.__match_args__ == ("a", "b")
        with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'a'"):
            record.a = 2
        with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'a'"):
            del record.a


def test_methods_that_a_class_states_itself_stay() -> None:
    class Stated:
        """A record with methods of its own."""

        a: float

        def __post_init__(self) -> None:
            if self.a < 0:
                raise ValueError("a")

        def __repr__(self) -> str:
            return "own"

        @cached_property
        def twice(self) -> float:
            return 2.0 * self.a

    made: Any = frozen.dataclass(Stated, frozen=True)
    assert repr(made(1.0)) == "own"
    assert made(1.5).twice == 3.0
    with pytest.raises(ValueError, match="a"):
        made(-1.0)


@frozen.dataclass(frozen=True)
class Kept:
    """A record of this module."""

    a: int


@frozen.dataclass(frozen=True)
class Below(Kept):
    """One with a base, which the standard library makes."""

    b: int


def test_a_record_is_pickled_and_may_have_records_below_it() -> None:
    assert pickle.loads(pickle.dumps(Kept(3))) == Kept(3)  # noqa: S301 -- our own
    assert Below(1, 2) == Below(a=1, b=2) != Kept(1)
