"""What an operator makes of tensors without storage, remembered: layers are alike, and so are the shapes that they pass.

A result without storage is a size, strides and a type, which follow from those of the arguments; most of the time of a
step on meta is Python code that derives them anew for every layer (torch/_refs, torch/_meta_registrations). Remembered is
only what the operator itself gave, where each result has a storage of its own that is as long as its size and strides say;
views, operators that write into arguments, and what involves another device run every time.
"""

from roi.profiling.stack import torch

# isort: split
from collections.abc import Hashable
from typing import Any, Final, NamedTuple

Made = tuple[tuple[int, ...], tuple[int, ...], torch.dtype]
"""Size, strides and type of a tensor."""
DEVICE: Final = torch.device("meta")


class Unknown(Exception):
    """An argument whose part in the result is not known."""


class Known(NamedTuple):
    """What an operator gave once."""

    made: tuple[Made, ...] | None
    """Of each result; None where it has to run."""
    several: type | None
    """tuple or list where it gives several tensors."""


RUNS: Final = Known(None, None)


class ShapeCache:
    """Results of operators by their arguments' shapes; one is for one setting of torch's global defaults."""

    def __init__(self) -> None:
        self._keys: dict[Hashable, int] = {}
        self._known: dict[int, Known] = {}

    def key(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:  # Any: torch's own
        """A number for what the results' size, strides and type depend on; None where that is not known."""
        try:
            asked = (id(func), *[_described(x) for x in args], *[(k, _described(x)) for k, x in kwargs.items()])
            return self._keys.setdefault(asked, len(self._keys))
        except (Unknown, TypeError):  # TypeError: an argument that has no hash
            return None

    def call(self, key: int | None, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # Any: torch's own
        """What `func(*args, **kwargs)` gives; `key` is theirs."""
        if key is None:
            return func(*args, **kwargs)
        known = self._known.get(key)
        if known is None:
            result = func(*args, **kwargs)
            self._known[key] = RUNS if func._schema.is_mutable else _known(result, args)
            return result
        if known.made is None:
            return func(*args, **kwargs)
        if known.several is None:
            size, strides, dtype = known.made[0]
            return torch.empty_strided(size, strides, dtype=dtype, device=DEVICE)
        return known.several([torch.empty_strided(size, strides, dtype=dtype, device=DEVICE)
                              for size, strides, dtype in known.made])


def _described(x: object) -> Hashable:
    """What of an argument a result's size, strides and type can depend on."""
    if isinstance(x, torch.Tensor):
        dtype = x.dtype
        if not x.is_meta or dtype.is_complex or x.layout is not torch.strided:
            raise Unknown
        return x.shape, x.stride(), dtype
    if isinstance(x, (list, tuple)):
        return type(x), *[_described(each) for each in x]
    return type(x), x  # 1, 1.0 and True are equal, and promote differently


def _known(result: object, args: tuple[Any, ...]) -> Known:
    """What may be remembered of a result."""
    several = type(result) if isinstance(result, (list, tuple)) else None
    tensors: Any = result if several else [result]  # Any: an operator's results
    if several not in (None, list, tuple) or not all(type(x) is torch.Tensor for x in tensors):
        return RUNS
    given = {x.untyped_storage()._cdata for x in torch.utils._pytree.tree_leaves(args) if isinstance(x, torch.Tensor)}
    own = {x.untyped_storage()._cdata for x in tensors}
    if own & given or len(own) < len(tensors):
        return RUNS
    made: list[Made] = []
    for x in tensors:
        if x.device != DEVICE or x.dtype.is_complex or x.layout is not torch.strided or x.storage_offset():
            return RUNS
        again = torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=DEVICE)
        if again.untyped_storage().nbytes() != x.untyped_storage().nbytes():
            return RUNS
        made.append((tuple(x.shape), x.stride(), x.dtype))
    return Known(tuple(made), several)
