"""The base of everything that is read from a file: data of the catalog, facts, profiles."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """What is read from a file: frozen, without unknown fields or NaN; a field's docstring is its description."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
