"""What importing the training stack need not do: search for cycles, load a compiler or scipy, read files twice, compile early.

Each of these leaves the packages as they would be. Where a package has changed so that a way is no longer there, it is imported
as it always was.
"""

import dataclasses
import gc
import importlib.machinery
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

READER: Final = "transformers.utils.import_utils"
"""The module of transformers that reads the names in the files of all its models."""


@contextmanager
def uncollected(*, stays: bool = False) -> Iterator[None]:
    """Python does not look for cycles: a fifth of an import's time would go into searching what stays anyway.

    What `stays` until the end is never searched: the first search after it would take half a second, and so would later ones.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if stays:
            gc.freeze()
        if enabled:
            gc.enable()


@contextmanager
def methods_when_called() -> Iterator[None]:
    """The methods of a dataclass, but `__init__`, are compiled at their first call, which puts them into their class.

    Until Python 3.13 each of up to six is compiled by itself, 0.3 s for a thousand classes of the stack, most of which nobody
    compares or tells.
    """
    create: Any = getattr(dataclasses, "_create_fn", None)  # Any: the library's own; gone from 3.13 on
    if create is None:
        yield
        return

    def later(name: str, *what: Any, **settings: Any) -> Callable[..., Any]:
        if name == "__init__":
            return create(name, *what, **settings)  # type: ignore[no-any-return]
        made: list[Any] = []

        def method(self: Any, *given: Any, **named: Any) -> Any:
            if not made:
                made.append(create(name, *what, **settings))
                made[0].__qualname__ = method.__qualname__
            for owner in type(self).__mro__:
                if owner.__dict__.get(name) is method:
                    setattr(owner, name, made[0])
            return made[0](self, *given, **named)

        method.__name__ = name
        return method

    with patch.object(dataclasses, "_create_fn", later):
        yield


@contextmanager
def places_at_hand() -> Iterator[None]:
    """Where an operator of torch is registered, by file, line and module, is told without looking through all modules' files.

    Python reads the text around the line too, which torch drops, and asks every module that is loaded for its file, though the
    frame names its own module: 0.3 s for 154 operators.
    """
    look, belongs = inspect.getframeinfo, inspect.getmodule

    def place(frame: Any, context: int = 1) -> Any:
        return look(frame, 0 if sys._getframe(1).f_globals.get("__name__") == "torch._library.utils" else context)

    def module_of(asked: Any, *file: Any) -> Any:
        if inspect.isframe(asked):
            module = sys.modules.get(asked.f_globals.get("__name__", ""))
            if module is not None and getattr(module, "__file__", None) == asked.f_code.co_filename:
                return module
        return belongs(asked, *file)

    with patch.object(inspect, "getframeinfo", place), patch.object(inspect, "getmodule", module_of):
        yield


@contextmanager
def compiled_when_called(torch: Any) -> Iterator[None]:  # Any: the module
    """Functions under torch.compile are compiled at their first call.

    bitsandbytes decorates four that stand in for its kernels where there is no CUDA; importing the compiler for them takes a
    fifth of the whole stack's time.
    """
    compiler = torch.compile

    def decorate(function: Any = None, **settings: Any) -> Any:  # Any: a decorator, with and without arguments
        if function is None:
            return partial(decorate, **settings)
        made: list[Any] = []

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not made:
                made.append(compiler(function, **settings))
            return made[0](*args, **kwargs)

        return call

    with patch.object(torch, "compile", decorate):
        yield


@contextmanager
def hidden(package: str) -> Iterator[None]:
    """The package cannot be imported (None among `sys.modules`, as the import system has it).

    Unless it is loaded already, or transformers, which has then seen that it is there.
    """
    if {package, "transformers"} & sys.modules.keys():
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]


@contextmanager
def read_once(transformers: Any) -> Iterator[None]:  # Any: the module
    """What transformers read in the files of its models at its import is not read again when the first model is asked for."""
    reader = transformers.utils.import_utils
    read = reader.create_import_structure_from_path
    folder = Path(transformers.__file__).parent / "models"

    def remembered(path: Any) -> Any:  # Any: theirs
        return read(folder if path == str(folder / "__init__.py") else path)  # it keeps what it read, by the path asked for

    with patch.object(reader, "create_import_structure_from_path", remembered):
        yield


class _ReaderFinder:
    """Finds transformers' reader as Python does, and hands it, once it is loaded, to a function."""

    def __init__(self, loaded: Callable[[Any], None]) -> None:
        self.loaded = loaded

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:  # Any: the import system's own
        if name != READER:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        loader: Any = spec and spec.loader
        if loader is not None:
            run = loader.exec_module

            def execute(module: Any) -> None:
                run(module)
                self.loaded(module)

            loader.exec_module = execute
        return spec


@contextmanager
def read_from_names() -> Iterator[None]:
    """transformers looks for the names of a model's file from the last line on that begins with `__all__`, in this context.

    That is where it would begin, after it has cut the whole of 1,700 files into lines: half of the time that it reads them.
    """
    restore: list[Callable[[], None]] = []

    def loaded(reader: Any) -> None:  # Any: the module
        names = getattr(reader, "fetch__all__", None)
        if names is not None:
            reader.fetch__all__ = lambda text: names(text[max(text.rfind("\n__all__") + 1, 0):])
            restore.append(partial(setattr, reader, "fetch__all__", names))

    finder = _ReaderFinder(loaded)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for each in restore:
            each()
