"""The scenarios that come with roi: the templates and the bundled one; and whether a scenario's day has come."""

from datetime import date as Date
from datetime import timedelta
from importlib.resources import files
from typing import Final

from roi import clock
from roi.errors import ScenarioError, UnknownName
from roi.scenario import TEMPLATES
from roi.scenario.yaml import parse_yaml

BUNDLED: Final = "bundled"
GRACE: Final = timedelta(days=1)
"""East of Greenwich it is tomorrow already for up to 14 hours."""


def template(name: str, field: str = "--template") -> str:
    """The text of a template, comments included; `field` is where its name was given."""
    if name not in (*TEMPLATES, BUNDLED):
        raise UnknownName(field, name, TEMPLATES, "template", TEMPLATES)
    return (files("roi.scenario") / "templates" / f"{name}.yaml").read_text(encoding="utf-8")


def check_day(day: Date, field: str = "as_of") -> None:
    """InputError where the day in `field` has not come: neither by the clock, nor by the prices that came with roi."""
    today = clock.today()
    if day > today + GRACE and day > template_day(BUNDLED):
        later = f"; roi diff FILE --as-of {day} compares with what is announced for a later one" if field == "as_of" else ""
        raise ScenarioError(field, day.isoformat(), f"a day up to today, {today}{later}")


def template_day(name: str) -> Date:
    """The day whose prices the template takes as it came with roi: it has come, whatever a machine's clock says."""
    return Date.fromisoformat(parse_yaml(template(name), name)["as_of"])
