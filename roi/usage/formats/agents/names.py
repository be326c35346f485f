"""What sessions of coding agents are called: a pseudonym, unless the user asks for names.

A project's folder and a session's id may say who works on what. Without `--names` neither leaves its file: a pseudonym is a
hash of it, the same in every run, so that two months compare.
"""

import hashlib
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from roi.usage.read.record import Format

GROUPS = {"project": "project", "session": "session"}
"""Columns of every agent's rows that they are grouped by."""


def named(kind: str, value: object, *, names: bool) -> str | None:
    """The last part of a path, or an id; without `names` "project-3fa2c1" in its place. None where there is no text."""
    if not isinstance(value, str) or not value.strip():
        return None
    plain = value.strip().replace("\\", "/").rstrip("/")
    if names:
        return PurePosixPath(plain).name or plain
    return f"{kind}-{hashlib.sha256(plain.encode('utf-8', 'replace')).hexdigest()[:6]}"


def with_names(form: Format) -> Format:
    """The format with projects and sessions by their names, where its rows have them."""
    flatten: Any = form.flatten  # of agents they take `names`
    session: Any = form.session
    if form.groups != GROUPS:
        return form
    return replace(form, flatten=None if flatten is None else partial(flatten, names=True),
                   session=None if session is None else partial(session, names=True))


def number(value: object) -> int | None:
    """A whole number as JSON has it; None for anything else, so that no text stands in a column of counts."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def word(value: object, longest: int = 80) -> str | None:
    """A short text, a model's name for one; None for anything else."""
    return value if isinstance(value, str) and 0 < len(value) <= longest and value.isprintable() else None
