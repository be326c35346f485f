"""Whose workload is measured: the model that the user names, the only one, or one with most of what was spent."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from roi.errors import UnknownName
from roi.usage.measure.pricing import Priced
from roi.usage.measure.workload import Choice
from roi.usage.read.record import TOKENS

MAIN_SHARE: Final = 0.9
"""A model with at least this share of what was spent is the incumbent without being named."""
Model = tuple[str | None, str]
"""Provider and name."""


def choose_incumbent(
    priced: Sequence[Priced], groups: Sequence[Priced], named: str | None, task: str | None,
) -> tuple[Choice | None, str]:
    """(whose workload is measured, why none is). `named` is a model and `task` a group, where the user says them.

    Models are compared by what was spent, or by tokens where nothing has a price.
    """
    known_price = any(each.usd for each in priced)
    sizes = _sizes(priced, lambda each: each.usd or 0.0) if known_price else _sizes(priced, _tokens)
    if not sizes:
        return None, "no row counts tokens of a model"
    if named is not None:
        model = _named(named, list(sizes))
    elif task is not None:
        found = _of_group(task, groups)
        if found is None:
            return None, f"group {task} runs on several models: say which one, --incumbent provider/model"
        model = found
    else:
        total = sum(sizes.values()) or 1.0
        model = max(sizes, key=lambda key: sizes[key])
        if len(sizes) > 1 and sizes[model] / total < MAIN_SHARE:
            shares = ", ".join(f"{name} {size / total:.0%}" for (_, name), size in
                               sorted(sizes.items(), key=lambda x: -x[1])[:4])
            return None, f"several models ({shares}): say which one is the incumbent, --incumbent provider/model"
    if task is not None:
        there = {each.spend.group for each in groups if (each.spend.provider, each.spend.model) == model}
        known = sorted(name for name in there if name is not None)
        if task not in known:
            raise UnknownName("--task", task, known, f"group of {model[1]}")
    return Choice(*model, task), ""


def _tokens(each: Priced) -> float:
    return float(sum(each.spend.tokens[name] for name in TOKENS))


def _sizes(rows: Iterable[Priced], size: Callable[[Priced], float]) -> dict[Model, float]:
    """Sums of a size by provider and model."""
    sizes: dict[Model, float] = defaultdict(float)
    for each in rows:
        if each.spend.model is not None:
            sizes[each.spend.provider, each.spend.model] += size(each)
    return dict(sizes)


def _of_group(name: str, groups: Sequence[Priced]) -> Model | None:
    """The model on which a group runs with MAIN_SHARE of its tokens; None where there is none. Raises UnknownName."""
    sizes = _sizes((each for each in groups if each.spend.group == name), _tokens)
    if not sizes:
        raise UnknownName("--task", name, sorted({each.spend.group or "" for each in groups}), "group")
    main = max(sizes, key=lambda key: sizes[key])
    return main if sizes[main] >= MAIN_SHARE * sum(sizes.values()) else None


def _named(name: str, known: Sequence[Model]) -> Model:
    """The one that `provider/model` or `model` names."""
    spelled = {f"{provider}/{model}" if provider else model: (provider, model) for provider, model in known}
    if name in spelled:
        return spelled[name]
    fitting = [key for key in known if key[1] == name]
    if len(fitting) == 1:
        return fitting[0]
    raise UnknownName("--incumbent", name, spelled, "model of these files:" if not fitting else "model, several have it:")
