"""Where a field of the records stands in a Case: its path, or the paths that are looked at in turn."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Number = float | Array
"""A float, or one row a draw, as `inputs` says."""
NEEDED: Final = object()
"""In place of `absent`, where some path must be there."""


class At:
    """Where a field's value stands in the Case: the first of these paths that is there and not null.

    {option}, {plan}, {system}, {method}, {group} and {vendor} stand for names. Where no path is there, a field that may be
    None is, a flag is False, another is `absent`; without `absent` the path is needed.
    """

    def __init__(self, *paths: str, absent: object = NEEDED) -> None:
        self.paths, self.absent = paths, absent


def own(name: str, *common: str) -> At:
    """The place of a field that an option, or a kind of options, may have of its own."""
    return At(f"options.{{option}}.{name}", f"kinds.{{kind}}.{name}", *common)
