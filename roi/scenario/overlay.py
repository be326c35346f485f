"""A part of a scenario that usage records settle, laid over one: what the part states replaces what the scenario says."""

from pathlib import Path
from typing import Any, Final

from roi.errors import InputError
from roi.scenario.yaml import read_yaml

PART_SCHEMA: Final = "roi.usage-part/1"
BLOCKS: Final = ("workload", "incumbent")


def read_part(path: Path) -> dict[str, Any]:
    """The part in a YAML file that `roi usage --output` wrote; InputError where it is another file."""
    data = read_yaml(path)
    if data.pop("schema", None) != PART_SCHEMA:
        raise InputError(f"--usage: {path} is no part written by roi usage --output; schema: {PART_SCHEMA} is missing")
    for block in BLOCKS:
        if not isinstance(data.get(block, {}), dict):
            raise InputError(f"--usage: {path}: {block}: {data[block]!r} is not usable; it should be a block of keys")
    other = sorted(set(data) - set(BLOCKS))
    if other:
        raise InputError(f"--usage: {path}: {', '.join(other)} is not part of {PART_SCHEMA}; allowed: {', '.join(BLOCKS)}")
    return data


def overlay(data: dict[str, Any], part: dict[str, Any]) -> None:
    """Lay `part` over the scenario's plain data, in place.

    Lengths and means of lengths exclude each other, so one takes the other's place. A bill, a discount and a commitment of
    another model than the part's would be wrong: they go with the model.
    """
    for block in BLOCKS:
        new = part.get(block) or {}
        old = data.setdefault(block, {})
        if not isinstance(old, dict):
            raise InputError(f"{block}: {old!r} is not usable; it should be a block of keys")
        if block == "workload":
            _make_room(old, new)
        if block == "incumbent" and old.get("model") != new.get("model"):
            for key in old.keys() - {"provider", "model"}:
                del old[key]
            _forget(data, old.get("model"))
        old.update(new)


def _forget(data: dict[str, Any], model: object) -> None:
    """Take out what is said of the old incumbent by name, where it is no candidate either."""
    candidates, quality = (data[name] if isinstance(data.get(name), dict) else {} for name in ("candidates", "quality"))
    named = [name for names in candidates.values() if isinstance(names, list) for name in names]
    if any(str(name).rpartition("/")[2] == model for name in named):
        return
    for block in (data.get("tokens"), quality.get("scores"), quality.get("escalated")):
        if isinstance(block, dict):
            block.pop(model, None)


def _make_room(old: dict[str, Any], new: dict[str, Any]) -> None:
    if "lengths" in new:
        old.pop("input_tokens", None)
        old.pop("output_tokens", None)
    if "input_tokens" in new:
        old.pop("lengths", None)
    if "peak_to_mean" in new and "hourly_weights" not in new:
        old.pop("hourly_weights", None)
