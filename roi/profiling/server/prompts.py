"""Prompts of so many tokens that no server has seen: random common words, from a seed that no other run has."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from roi.errors import InputError, MissingExtra

_TEXT: Final = (
    "about after again air all along also always an and animal another any are around as ask at away back be because been "
    "before began below between big book both boy but by call came can car carry change children city close come could "
    "country cut day did different do does down each earth eat end enough even every example eye face family far father "
    "feet few find first follow food for form found four from get girl give go good got great group grow had hand hard has "
    "have he head hear help her here high him his home house how idea if important in into is it just keep kind know land "
    "large last late learn leave left let letter life light like line list little live long look made make man many may me "
    "mean men might mile more most mother move much must my name near need never new next night no not now number of off "
    "often old on once one only open or other our out over own page paper part people place plant play point put question "
    "quick read really right river run said same saw say school sea second see seem sentence set she should show side small "
    "so some something sometimes song soon sound spell start state still stop story study such take talk tell than that the "
    "their them then there these they thing think this those thought three through time to together too took tree try turn "
    "two under until up us use very walk want was watch water way we well went were what when where which while white who "
    "why will with without word work world would write year you young your"
)

WORDS: Final = tuple(_TEXT.split())
"""Common words: nearly every tokenizer has each of them as one token, so that words count tokens."""


class Prompt(NamedTuple):
    """What is sent, and how long it is held to be."""

    text: str
    tokens: int
    """As calibrated, or as the tokenizer counts."""


class Prompts:
    """Makes prompts of about so many tokens: tokens = fixed + per_word x words, or as a tokenizer says."""

    def __init__(self, seed: int, count: Callable[[str], int] | None = None) -> None:
        self.chance = random.Random(seed)  # noqa: S311 -- words, not secrets
        self.count = count
        self.per_word, self.fixed = 1.0, 0.0

    def words(self, n: int) -> str:
        """`n` words in random order."""
        return " ".join(self.chance.choices(WORDS, k=n))

    def calibrate(self, few: Prompt, many: Prompt) -> None:
        """Take two prompts, with the tokens that the server counted, as the rule: what it adds, and tokens a word."""
        few_words, many_words = (len(prompt.text.split()) for prompt in (few, many))
        self.per_word = max((many.tokens - few.tokens) / (many_words - few_words), 1e-3)
        own = self.per_word * few_words if self.count is None else self.count(few.text)
        self.fixed = max(few.tokens - own, 0.0)

    @property
    def least(self) -> int:
        """Tokens of the shortest prompt: one word, and what the server adds."""
        return round(self.fixed + self.per_word)

    def make(self, tokens: int) -> Prompt:
        """A prompt of `tokens` tokens as nearly as words allow, at least one word."""
        words = max(round((tokens - self.fixed) / self.per_word), 1)
        text = self.words(words)
        if self.count is None:
            return Prompt(text, round(self.fixed + self.per_word * words))
        for _ in range(8):  # words of a small vocabulary take several tokens each: a few corrections find the length
            short = round(tokens - self.fixed) - self.count(text)
            if short == 0 or (short < 0 and words == 1):
                break
            step = round(short / max(self.per_word, 1.0)) or (1 if short > 0 else -1)
            words = max(words + step, 1)
            text = f"{text} {self.words(step)}" if step > 0 else " ".join(text.split()[:words])
        return Prompt(text, round(self.fixed) + self.count(text))


def token_counter(path: Path, field: str = "--tokenizer") -> Callable[[str], int]:
    """What counts the tokens of a text with the tokenizer.json at `path`, or in that folder; special tokens count."""
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError as error:
        raise MissingExtra("serve", error.name or "tokenizers") from error
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{field}: no file {file}; a tokenizer.json, or the folder that holds one")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # what the package raises has no class of its own
        raise InputError(f"{field}: {file} is no tokenizer.json: {str(error)[:80]}") from error

    def count(text: str) -> int:
        return len(tokenizer.encode(text).ids)

    return count
