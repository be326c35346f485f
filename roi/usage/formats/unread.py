"""What other files of known tools are, which hold no usage that could be read, and which one of theirs does.

Names are those of columns or keys, in lower case, by which such a file is told. Sources: API references of Anthropic and OpenAI
(2026-11); Azure's cost export and diagnostic logs as tests of public repositories write them (2025-03 to 2026-07); the schema
of Weave's calls; vLLM's logger.
"""

import re
from collections.abc import Iterable
from typing import Final

from roi.disk import packaged_rows

OF_RESULTS: Final = frozenset({"score", "correct", "is_correct", "passed", "acc", "exact_match"})
"""A column of an evaluation's results, which count no tokens."""
LOG_LINE: Final = re.compile(r"(\(\w+ pid=\d+\) )?(DEBUG|INFO|WARNING|ERROR)(:|\s+\d\d-\d\d \d\d:\d\d:\d\d)")
"""Beginning of a line of vLLM's log, or uvicorn's."""
SERVER_LOG: Final = ("a server's log in words, which tells no tokens of a call; vLLM's spans do (--otlp-traces-endpoint), with"
                     " --model, since they name none")  # fmt: skip


def told_unread(names: Iterable[str]) -> str | None:
    """What a file with these columns or keys is, and what is read in its place; None where nobody knows it."""
    own = {name.lower() for name in names}
    known = [(names, told) for names, told in packaged_rows("usage/formats/unread.csv") if own.issuperset(names.split(";"))]
    if not known and own & OF_RESULTS and not any("token" in name for name in own):
        return "results of an evaluation and no usage; how good they are: roi quality"
    return max(known, key=lambda each: each[0].count(";"))[1] if known else None
