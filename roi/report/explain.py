"""Which option a reader means."""

from roi.economics.comparison import Comparison
from roi.errors import InputError, UnknownName, nearest
from roi.report.options_table import rank
from roi.report.wording import KINDS


def find_option(c: Comparison, name: str) -> str:
    """The id of the option called `name`: its id, its kind (the best of it), or the start of one id or label."""
    ids = {**{o.id: o.label for o in c.options}, **{o.id: o.label for o in c.infeasible}}
    if name in ids:
        return name
    of_kind = [o.id for o in rank(c) if o.kind == name] or [o.id for o in c.infeasible if o.kind == name]
    if of_kind:
        return of_kind[0]
    found = [id for id, label in ids.items() if name and (id.startswith(name) or label.startswith(name))]
    if len(found) > 1:
        raise InputError(f"--explain: {name[:80]!r} could be {', '.join(found[:5])}")
    if not found:
        kinds = {o.kind for o in c.options} | {o.kind for o in c.infeasible}
        if nearest(name, [*ids, *kinds]):
            raise UnknownName("--explain", name, [*ids, *sorted(kinds)], "option")
        raise InputError(f"--explain: unknown option {name[:80]!r}; kinds: {', '.join(k for k in KINDS if k in kinds)}")
    return found[0]
