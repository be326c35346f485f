"""What an operator makes of tensors without storage, remembered: layers are alike, and so are the shapes that they pass.

A result without storage is a size, strides and a type, which follow from those of the arguments; most of the time of a
step on meta is Python code that derives them anew for every layer (torch/_refs, torch/_meta_registrations). Remembered is
only what the operator itself gave, where each result has a storage of its own that is as long as its size and strides say.
One that writes element by element over its first argument leaves a tensor without values as it was, and gives it back. Views,
other operators that write into arguments, and what involves another device run every time.
"""

from roi.profiling.stack import torch

# isort: split
from collections.abc import Hashable
from typing import Any, Final, NamedTuple

Made = tuple[tuple[int, ...], tuple[int, ...], torch.dtype]
"""Size, strides and type of a tensor."""
DEVICE: Final = torch.device("meta")
COMPLEX: Final = frozenset({torch.complex32, torch.complex64, torch.complex128})
PLAIN: Final = frozenset({torch.Tensor, torch.nn.Parameter})
NUMBERS: Final = frozenset({int, float, bool, torch.dtype, type(None)})
"""Types of the most usual arguments, which `_described` would describe alike."""


class Unknown(Exception):
    """An argument whose part in the result is not known."""


class Known(NamedTuple):
    """What an operator gave once."""

    made: tuple[Made, ...] | None
    """What it made of each result; None where the operator has to run."""
    several: type | None
    """tuple or list where it gives several tensors."""


RUNS: Final = Known(None, None)
FIRST: Final = Known((), None)
"""Stands for an operator that gives its first argument."""


class ShapeCache:
    """Results of operators by their arguments' shapes; one is for one setting of torch's global defaults."""

    def __init__(self) -> None:
        self._keys: dict[Hashable, int] = {}
        self._known: dict[int, Known] = {}

    def key(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:  # Any: torch's own
        """A number for what the results' size, strides and type depend on; None where that is not known."""
        asked: list[Hashable] = [id(func)]
        try:
            for x in args:
                kind = type(x)
                if kind in PLAIN and x.is_meta and x.layout is torch.strided and x.dtype not in COMPLEX:
                    asked.append((x.shape, x.stride(), x.dtype))
                else:
                    asked.append((kind, x) if kind in NUMBERS else _described(x))
            asked += [(name, _described(x)) for name, x in kwargs.items()]
            return self._keys.setdefault(tuple(asked), len(self._keys))
        except (Unknown, TypeError):  # TypeError: an argument that has no hash
            return None

    def call(self, key: int | None, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # Any: torch's own
        """What `func(*args, **kwargs)` gives; `key` is theirs."""
        if key is None:
            return func(*args, **kwargs)
        known = self._known.get(key)
        if known is None:
            result = func(*args, **kwargs)
            self._known[key] = _known(result, args) if not func._schema.is_mutable else (
                FIRST if args and writes_over(func) and result is args[0] else RUNS)
            return result
        if known.made is None:
            return func(*args, **kwargs)
        if known is FIRST:
            return args[0]
        if known.several is None:
            size, strides, dtype = known.made[0]
            return torch.empty_strided(size, strides, dtype=dtype, device=DEVICE)
        return known.several([torch.empty_strided(size, strides, dtype=dtype, device=DEVICE)
                              for size, strides, dtype in known.made])


def writes_over(func: Any) -> bool:  # Any: torch's own
    """True where an operator writes element by element over its first argument, and into no other."""
    written = [argument.name for argument in func._schema.arguments if argument.alias_info and argument.alias_info.is_write]
    return torch.Tag.pointwise in func.tags and written == [func._schema.arguments[0].name]


def _described(x: object) -> Hashable:
    """What of an argument a result's size, strides and type can depend on."""
    if isinstance(x, torch.Tensor):
        dtype = x.dtype
        if not x.is_meta or dtype in COMPLEX or x.layout is not torch.strided:
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
