"""The one place where it is asked what day it is: for a date that the user does not name, and whether one has come."""

from datetime import UTC, date, datetime


def today() -> date:
    """The date of the machine's clock, in UTC. Tests put another function in its place."""
    return datetime.now(tz=UTC).date()
