"""What a format is: how it is recognised, and how its raw rows become records."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from roi.usage.read.record import Asked

if TYPE_CHECKING:
    import ibis.expr.types as ir

Document = dict[str, Any]  # Any: JSON as it was parsed
Grain = Literal["call", "bucket", "cost"]


@dataclass(frozen=True, eq=False)
class Format:
    """One source of usage records."""

    name: str
    """Name for `--from`: openai-csv, bedrock-log ..."""
    title: str
    """What people call it."""
    grain: Grain
    """A row is one call, a bucket of calls, or an amount of money."""
    needs: frozenset[str]
    """Column names, in lower case, that a header must have to be this format."""
    uses: tuple[str, ...]
    """Other columns that are read where they are there, in lower case. No column outside `needs` and `uses` is ever read."""
    records: "Callable[[ir.Table, Asked], ir.Table]"
    """Raw rows to records (roi.usage.read.record)."""
    recognises: Callable[[Document], bool] | None = None
    """True where a JSON document (a file, or one line of it) is of this format; None: tables alone."""
    flatten: Callable[[Document], Iterator[Document]] | None = None
    """Raw rows of a JSON document, with the column names of `needs` and `uses`; no other value may leave it."""
    ambiguous_cache: bool = False
    """True where the input column may or may not count cached tokens, so that --input-includes-cache matters."""
    local_times: bool = False
    """True where times without an offset may be local (--timezone); a vendor's are UTC."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Kind of group (tag, prompt, key, user, project) to the column that holds it; the first is the default."""

    @property
    def columns(self) -> frozenset[str]:
        """Every column that may be read."""
        return self.needs | frozenset(self.uses)


def group_column(form: Format, table: "ir.Table", asked: Asked) -> "ir.Value | None":
    """The expression of the group that the user asked for, else of the format's first kind that the table has.

    Only the format's own kinds can be asked for, so that no column of prompts is read. Raises InputError with what there is.
    """
    from roi.errors import InputError
    from roi.usage.read.columns import find, text

    wanted = asked.group_by
    if wanted == "model":
        return None  # the record has it
    if wanted is not None:
        column = find(table, [form.groups[wanted]]) if wanted in form.groups else None
        if column is None:
            there = [kind for kind, name in form.groups.items() if find(table, [name])]
            raise InputError(f"--group-by: {wanted!r} is not in {form.title}; there is {', '.join([*there, 'model'])}")
        return text(table, column)
    first = next((name for name in form.groups.values() if find(table, [name])), None)
    return None if first is None else text(table, first)
