"""What an evaluation says of systems, laid over a scenario's plain data."""

from collections.abc import Callable
from typing import Any, Final

from roi.errors import InputError

BY_SYSTEM: Final = ("scores", "escalated", "kept_error_rate", "escalated_error_rate")
"""Fields of `quality` whose keys are names of systems."""


def unpair(quality: object) -> bool:
    """Take out what an evaluation says of systems and another incumbent together; whether there was any of it."""
    if not isinstance(quality, dict):
        return False
    scores = quality.get("scores")
    found = [score.pop("paired") for score in (scores if isinstance(scores, dict) else {}).values()
             if isinstance(score, dict) and "paired" in score]
    return quality.pop("escalated_error_rate", None) is not None or bool(found)


def overlay_quality(
    data: dict[str, Any], part: dict[str, Any], one_model: Callable[[str, str], bool] = str.__eq__,
    tell: Callable[[str], None] | None = None,
) -> None:
    """Lay what an evaluation settles over the scenario's plain data, in place: by system, so that other systems stay.

    What it says of a system that the scenario has under another name of `one_model` is said of that name, which `tell` hears.
    """
    old = data.setdefault("quality", {})
    if not isinstance(old, dict):
        raise InputError(f"quality: {old!r} is not usable; it should be a block of keys")
    for name, value in part.get("quality", {}).items():
        beside = old.get(name)
        if not isinstance(value, dict) or not isinstance(beside, dict):
            old[name] = value
            continue
        called = {key: _there(key, value, beside, one_model) for key in value} if name in BY_SYSTEM else {}
        old[name] = {**beside, **{called.get(key, key): each for key, each in value.items()}}
        if name == "scores" and tell is not None:
            for key, there in called.items():
                if key != there:
                    tell(f"the evaluation's score of {key} takes the place of that stated of {there}: they are one model")


def _there(key: str, new: dict[str, Any], old: dict[str, Any], one_model: Callable[[str, str], bool]) -> str:
    """The name under which `old` has the system `key` of `new`: another of the same model's, where it is the only one."""
    others = [] if key in old else [each for each in old if each not in new and one_model(str(each), key)]
    return others[0] if len(others) == 1 else key
