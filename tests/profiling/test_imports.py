"""What importing the training stack leaves for later, and that it comes when it is asked for."""

import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from types import FunctionType
from unittest.mock import patch

import pytest

from roi.profiling.imports import methods_when_called, places_at_hand, read_from_names
from roi.profiling.stack import transformers

TIMES = []
"""Methods that were compiled."""


def made_later(**settings):
    """A dataclass of two fields, made while methods wait."""
    create = dataclasses._create_fn

    def noted(name, *what, **how):
        TIMES.append(name)
        return create(name, *what, **how)

    TIMES.clear()
    with patch.object(dataclasses, "_create_fn", noted), methods_when_called():
        return dataclasses.make_dataclass("Pair", [("left", int), ("right", int)], **settings)


WATCHED = """
    import sys
    compiled = []
    def names(code):
        return {each.co_name: each for each in code.co_consts if hasattr(each, "co_name")}
    def look(event, args):
        if event == "exec" and "__create_fn__" in names(args[0]):
            compiled.extend(names(names(args[0])["__create_fn__"]))
    sys.addaudithook(look)
    from roi.profiling.stack import transformers
    methods = [name for name in compiled if name != "__init__"]
    assert len(methods) < 200, len(methods)
    assert len(compiled) > 500, len(compiled)
"""
TOLD = """
    import dataclasses, inspect
    from pathlib import Path
    import transformers.models.auto.modeling_auto as auto
    import transformers.utils.import_utils as reader
    found = reader.define_import_structure(Path(transformers.__file__).parent / "models").items()
    print(hash(str(sorted((str(k), sorted((m, sorted(n)) for m, n in v.items())) for k, v in found))), len(dir(transformers)),
          inspect.getframeinfo.__name__, inspect.getmodule.__name__, dataclasses._create_fn.__name__,
          reader.fetch__all__.__name__, len(auto.MODEL_FOR_CAUSAL_LM_MAPPING))
"""

needs_function = pytest.mark.skipif(not hasattr(dataclasses, "_create_fn"), reason="Python compiles a dataclass at once")


@needs_function
def test_methods_of_a_dataclass_are_compiled_at_their_first_call_and_then_are_in_their_class():
    kind = made_later(frozen=True, order=True)
    assert TIMES == ["__init__"]
    one, two = kind(1, 2), kind(left=1, right=2)
    assert one == two
    assert not one < two
    assert hash(one) == hash((1, 2))
    assert repr(one) == "Pair(left=1, right=2)"
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'left'"):
        one.left = 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.left
    assert sorted(TIMES) == sorted(["__init__", "__eq__", "__lt__", "__hash__", "__repr__", "__setattr__", "__delattr__"])
    plain = dataclasses.make_dataclass("Pair", [("left", int), ("right", int)], frozen=True, order=True)
    for name in ("__eq__", "__lt__", "__hash__", "__setattr__"):
        assert vars(kind)[name].__code__.co_code == vars(plain)[name].__code__.co_code
        assert vars(kind)[name].__qualname__ == vars(plain)[name].__qualname__
    assert one != kind(1, 3)
    assert TIMES.count("__eq__") == 1


@needs_function
def test_a_class_below_asks_the_methods_of_the_one_above():
    """Equality of a dataclass holds within one class alone; the method goes into the class that has it."""
    kind = made_later()
    below = type("Below", (kind,), {})
    assert below(1, 2) == below(1, 2)
    assert below(1, 2) != kind(1, 2)
    assert "__eq__" not in vars(below)
    assert repr(below(1, 2)) == "Below(left=1, right=2)"


def test_an_operators_place_is_told_without_reading_a_file():
    from torch._library.utils import get_source

    usual = get_source(1).rpartition(":")[0]
    with patch.object(inspect, "findsource", side_effect=AssertionError("a file is read")), places_at_hand():
        assert get_source(1).rpartition(":")[0] == usual == __file__
    with places_at_hand():
        here = inspect.getframeinfo(inspect.currentframe())
    assert "here = inspect.getframeinfo" in here.code_context[0]


def test_a_frames_module_is_told_without_asking_all_modules_for_their_files():
    """A frame of text that no module's file holds belongs to none."""
    usual, nobody = inspect.getmodule(inspect.currentframe()), {"__name__": __name__, "inspect": inspect}
    with patch.object(inspect, "getabsfile", side_effect=AssertionError("all modules are asked")), places_at_hand():
        assert inspect.getmodule(inspect.currentframe()) is usual is sys.modules[__name__]
    with places_at_hand():
        FunctionType(compile("found = inspect.getmodule(inspect.currentframe())", "<text>", "exec"), nobody)()
        assert inspect.getmodule(dataclasses.dataclass) is dataclasses
    assert nobody["found"] is None


@pytest.mark.full
def test_names_of_every_model_are_those_that_transformers_reads_by_itself():
    """`fetch__all__` on the text from the last line that begins with `__all__` on, against the whole text."""
    from transformers.utils.import_utils import fetch__all__

    with read_from_names():
        finder = sys.meta_path[0]
        kept = sys.modules["transformers.utils.import_utils"]
        finder.loaded(kept)
        shorter = kept.fetch__all__
        assert shorter is not fetch__all__
        texts = ["", "__all__ = ['a']", "x = 1\n__all__\n", "a\x0c__all__ = ['b']"]
        texts += [file.read_text(encoding="utf-8") for file in Path(transformers.__file__).parent.glob("models/**/*.py")]
        assert len(texts) > 1000
        assert [shorter(text) for text in texts] == [fetch__all__(text) for text in texts]
    assert kept.fetch__all__ is fetch__all__


@pytest.mark.full
@needs_function
def test_the_stack_is_as_it_is_without_this_and_compiles_few_methods():
    """A thousand dataclasses have more than two thousand methods beside `__init__`; some dozens of each are called."""
    told = [
        subprocess.run([sys.executable, "-c", dedent(first) + dedent(TOLD)], capture_output=True, text=True, check=False,
                       env={"PYTHONHASHSEED": "1", "PYTHONPATH": ":".join(sys.path), "HF_HUB_OFFLINE": "1"})
        for first in ("import transformers, torch, peft, bitsandbytes", WATCHED)
    ]
    assert [each.returncode for each in told] == [0, 0], told[0].stderr + told[1].stderr
    assert told[0].stdout == told[1].stdout
