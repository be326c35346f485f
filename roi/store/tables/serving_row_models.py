"""Models of a table of serving runs: the catalog's shape, or a stand-in of the same size for one that it lacks."""

import math
import re
from functools import cache
from typing import NamedTuple

from roi.catalog.models.shapes import FORMATS, TRAININGS, load_models, without_endings
from roi.facts.model import ModelShape
from roi.store.tables.row_fields import Row, Unusable, cell
from roi.store.tables.row_names import table_model
from roi.store.tables.serving_cells import stated_number

TEST_WORDS = rf"{FORMATS}|{TRAININGS}|amd|meta|neuralmagic|tp ?\d+|99(?:\.9)?|interactive|server|offline|orca"
"""Endings that name a format, a packing, a training or a test, not a shape; formats are read from the precision column too."""

SAME_SHAPES = (
    (r"vicuna-?13b.*", "llama-2-13b"), (r"vicuna-?7b.*", "llama-2-7b"), (r"vicuna-?33b.*", "yi-34b"),
    (r"mistral-7b-(openorca|openhermes|dolphin).*", "mistral-7b-v0.1"), (r"mistral-?7b", "mistral-7b-v0.1"),
    (r"gpt-?j(-6b)?", "gpt-j-6b"), (r"mixtral-?8x7b.*", "mixtral-8x7b"), (r"gpt-?oss-?(\d+b)", r"gpt-oss-\1"),
)  # fmt: skip
"""Spellings, and further trainings of a shape (Vicuna is a trained Llama)."""

VERSION = re.compile(r"(?<=\d[bm])((?:-[a-z]+)*)-v\d+(?:\.\d+)?$")
"""A version after the size, of a further training."""

STAND_IN_SPREAD = 1.35
"""A model of the same number of parameters may be off by this much: layers and KV heads differ (7B models: 28 to 32 layers,
4 to 32 KV heads)."""


MIXTURE = re.compile(r"moe|\d+x\d+(\.\d+)?b|-a\d+(\.\d+)?b|dbrx|grok|jamba|arctic")
"""Names of mixtures of experts."""


class RowModel(NamedTuple):
    """The shape that a row's model is predicted by."""

    shape: ModelShape
    stand_in: bool
    """True where the catalog lacks the model and another of its size, brought to its size, takes its place."""


def row_model(row: Row) -> RowModel:
    """The shape of the row's model; Unusable where neither its name nor params_b leads to one."""
    return _model(cell(row, "model"), stated_number(row, "params_b"))


@cache
def _model(name: str, billions: float | None) -> RowModel:
    for each in _spellings(name):
        try:
            found = table_model(each)
        except Unusable:
            continue
        # a name may say less than the size: "Qwen2-7B" is one shape, "Llama-7B (pruned)" is not what its name says
        if billions is None or abs(math.log(billions * 1e9 / found.published_parameters)) < math.log(1.25):
            return RowModel(found, stand_in=False)
    if billions is None:
        table_model(name)
        raise Unusable("params_b", "", "the catalog lacks the model, and nothing says its size")
    return RowModel(_scaled(billions * 1e9, mixture=MIXTURE.search(name.lower()) is not None), stand_in=True)


def _spellings(name: str) -> list[str]:
    """The name, and what it may mean, from the least changed to the most."""
    bare = without_endings(re.sub(r"\(.*?\)", "", name).rpartition("/")[2], TEST_WORDS)
    same = [re.sub(f"^{pattern}$", target, each) for each in bare for pattern, target in SAME_SHAPES
            if re.match(f"^{pattern}$", each)]
    return list(dict.fromkeys([name, *bare, *same, *(VERSION.sub(r"\1", each) for each in bare)]))


def _scaled(parameters: float, *, mixture: bool) -> ModelShape:
    """The model of full attention nearest in size, dense or a mixture, with an MLP as wide as the parameters ask."""
    alike = [m for m in load_models() if len(m.mlp) == 1 and (m.mlp[0].experts > 1) == mixture and m.mlp[0].gated
             and all(a.kind == "full" for a in m.attention)]
    near = min(alike, key=lambda m: abs(math.log(m.parameters / parameters)))
    mlp = near.mlp[0]
    per_unit = 3 * near.hidden * near.layers * mlp.experts
    width = max(round(mlp.intermediate + (parameters - near.parameters) / per_unit), 1)
    changed = {"id": f"{near.id}-scaled-{parameters / 1e9:g}b", "mlp": (mlp.model_copy(update={"intermediate": width}),)}
    return ModelShape(**{**{name: getattr(near, name) for name in ModelShape.model_fields}, **changed})  # counts are cached
