"""What sums are called, and who is paid where records do not say: the model's maker, whose list price stands in."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from roi.catalog.prices.api_prices import ALIASES, maker_of, sellers_of
from roi.usage.measure.aggregate import Spend
from roi.usage.read.lazy_ibis import Table, ibis
from roi.usage.read.names_alone import NOT_A_NAME, shown

Named = tuple[str | None, str]
"""Provider, None where the records do not say, and model."""


def in_names(row: Spend) -> Spend:
    """The sum with names alone as provider, model and tier."""
    provider, model, tier = payee(row.provider), shown(row.model), shown(row.tier)
    same = (provider, model, tier) == (row.provider, row.model, row.tier)
    return row if same else replace(row, provider=provider, model=model, tier=tier)


def payee(word: str | None) -> str | None:
    """Who is paid, by the name that price lists have."""
    named = shown(word)
    return ALIASES.get(named, named) if named else named


def models_called(every: Iterable[tuple[str | None, str | None]]) -> dict[tuple[str | None, str | None], str]:
    """What each model is called, of pairs of a provider and a model: after its provider where another has one of its name."""
    named = dict.fromkeys(every)
    sellers = Counter(model for _, model in named)
    return {each: "/".join(filter(None, each if sellers[each[1]] > 1 else each[1:])) for each in named}


def to_names(records: Table, rows: Sequence[Spend]) -> Table:
    """The records with models and providers called as in the `rows`' names, for tables that are read where they lie."""
    models, paid = ({getattr(row, column): called(getattr(row, column)) for row in rows}
                    for column, called in (("model", shown), ("provider", payee)))
    for column, names in (("model", models), ("provider", paid)):
        other = [(records[column] == word, name) for word, name in names.items() if word and name not in (word, NOT_A_NAME)]
        records = records.mutate(**{column: ibis.cases(*other, else_=records[column])}) if other else records
    return records


def makers(rows: Sequence[Spend], said: str | None) -> dict[Named, str]:
    """The maker of each model that several providers sell, where nobody says who is paid.

    `said` is the provider that the user names for rows without one: where it does not sell a model, that model has none either.
    """
    found = {}
    for provider, model in dict.fromkeys((row.provider, row.model) for row in rows):
        if model is None or provider not in {None, said}:
            continue
        sellers = sellers_of(model)
        if len(sellers) < 2 or provider in sellers:  # of one seller no word is needed
            continue
        maker = maker_of(model)
        if maker in sellers:
            found[provider, model] = maker
    return found


def with_maker(row: Spend, paid: Mapping[Named, str]) -> Spend:
    """The sum with the maker as its provider where it has one of `paid`."""
    maker = paid.get((row.provider, row.model)) if row.model is not None else None
    return row if maker is None else replace(row, provider=maker)


def to_makers(records: Table, paid: Mapping[Named, str]) -> Table:
    """The records with the maker as their provider where they have one of `paid`."""
    if not paid:
        return records
    here = records.provider
    cases = [((records.model == model) & (here.isnull() if provider is None else here == provider), maker)
             for (provider, model), maker in paid.items()]
    return records.mutate(provider=ibis.cases(*cases, else_=here))


def maker_notes(paid: Mapping[Named, str]) -> Iterator[str]:
    """What was taken for granted, one sentence a maker."""
    for maker in dict.fromkeys(paid.values()):
        models = ", ".join(sorted({model for (_, model), owner in paid.items() if owner == maker})[:8])
        yield f"{models}: the records do not say who is paid; at the list price of {maker}, the maker: --provider names another"
