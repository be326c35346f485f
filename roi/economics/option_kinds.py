"""Kinds of options: what they leave as it is, and who serves."""

from collections.abc import Mapping
from typing import Final

LEVERS: Final = frozenset({"shorter-prompt", "less-reasoning", "shorter-prompt+less-reasoning"})
"""Kinds in which the incumbent's model is asked for less, so that its answers must be evaluated again; an option of that
name is paid as today, by the token or the unit."""
KEEPS_MODEL: Final = frozenset({"stay", "cache-batch", "flexible-tier", "provisioned", "by-token"})
"""Kinds in which the incumbent answers as it does today, for less or at another speed."""
PADDED: Final = "cache-batch:padded"
"""Id of the option whose shared prefix is made as long as the incumbent's cache asks."""
OWN_HARDWARE: Final = "own-hardware"
"""The kind, and the start of the ids, of options on cards that are bought or owned."""
SELF_HOSTED: Final = frozenset({"self-hosted-base", "self-hosted-adapter", "hybrid", OWN_HARDWARE})


def exactly_named(known: Mapping[str, str], name: str) -> list[str]:
    """The ids, of `known` ids with their labels, that a name is all of: id or label; else provider/model; else model.

    A name that others only begin with is so told apart from theirs: own/twin beside own/twin2.
    """
    models = {id: id.partition(":")[2] for id in known if ":" in id}
    return [id for id, label in known.items() if name in {id, label}] or [
        id for id, model in models.items() if model == name] or [
        id for id, model in models.items() if model.rpartition("/")[2] == name]
