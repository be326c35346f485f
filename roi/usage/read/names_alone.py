"""What may be shown of a cell that should hold a name: a model's or a provider's name, and no sentence.

Where the cells of a row are shifted, a prompt may stand where the model should. So a name is one word of the characters that
models' ids have, or words for people such as `Claude Opus 4.5`, a family, then versions and variants, which become the id
that they stand for (claude-opus-4.5). Other text is replaced before it reaches a sum, so that its calls count, have no price,
and show nothing of what was said.
"""

import re
from collections.abc import Container
from typing import Final

from roi.catalog.prices.api_prices import ALIASES
from roi.usage.read.columns import made_anew
from roi.usage.read.lazy_ibis import Column, Table, ibis

NAMED: Final = ("provider", "model", "tier")
"""Columns of the record that hold names."""
OWN_TABLE: Final = "generic"
NO_MODEL: Final = "model not stated"
"""Stands for the model of a table of one's own where neither it nor --model names one."""
NOT_A_NAME: Final = "(text that is no name)"
ID: Final = r"^[A-Za-z0-9._:/@+()<>~=*#-]+$"
LONGEST_ID: Final = 200
"""Characters. Counted apart: DuckDB makes a copy of what is repeated for each of the times, at every look at the query."""
FAMILIES: Final = (
    "chatgpt|claude|codestral|codex|command|composer|deepseek|devstral|gemini|gemma|glm|gpt|granite|grok|jamba|kimi|llama|magistral|ministral|"
    "mistral|mixtral|nemotron|nova|o[1-9]|phi|qwen|qwq|sonar|titan"
)
VARIANTS: Final = (
    "a|air|audio|chat|code|coder|deep|distill|express|fast|flash|haiku|high|image|instruct|it|large|lite|low|maverick|max|medium|"
    "micro|mini|nano|nemo|next|opus|plus|premier|preview|pro|r|r[+]|realtime|reasoner|reasoning|research|scout|search|small|"
    "sonnet|text|thinking|turbo|ultra|versatile|vision|latest|exp|experimental|mythos|fable|sol|luna|astra"
)
FOR_PEOPLE: Final = rf"^({FAMILIES})[a-z0-9.+-]*( ({VARIANTS}|[a-z]?[0-9][a-z0-9.:-]*))+$"
"""In lower case; the words after the family are its own, so that no sentence that begins with one passes."""
MOST_WORDS: Final = 6
"""After the family, each behind a space; counted apart, as the characters of an id are."""


def source_shown(name: str) -> str:
    """What a format is called beside what it holds: by its name for --from, which a table of one's own has not."""
    return "table of your own" if name == OWN_TABLE else name


def names_shown(records: Table, said: str | None, known: Container[str]) -> Table:
    """The records with names alone as provider, by its own name, model and tier; `said` is the user's own word for the model.

    For records that are written once: a table of 20 million rows that lies where it is has its sums' names shown instead.
    Columns in `known`, whose value the format itself gives, stay as they are.
    """
    alone = made_anew(records, **{column: lambda cell: _shown(cell, said) for column in NAMED if column not in known})
    return alone if "provider" in known else alone.mutate(provider=alone.provider.substitute(ALIASES))


def _shown(cell: Column, said: str | None) -> Column:
    plain = cell.lower()
    kept = (cell.re_search(ID) & (cell.length() <= LONGEST_ID)) | cell.isin(("", NO_MODEL, said or ""))
    spaces = plain.length() - plain.replace(" ", "").length()
    people = plain.re_search(FOR_PEOPLE) & (spaces <= MOST_WORDS)
    return ibis.cases((kept.fill_null(True), cell), (people, plain.replace(" ", "-")), else_=NOT_A_NAME)


def shown(text: str | None) -> str | None:
    """The text as `names_shown` would show it in a cell: NOT_A_NAME where it is no name."""
    if not text or text == NO_MODEL or (len(text) <= LONGEST_ID and re.search(ID, text)):
        return text
    plain = text.lower()
    return plain.replace(" ", "-") if plain.count(" ") <= MOST_WORDS and re.search(FOR_PEOPLE, plain) else NOT_A_NAME
