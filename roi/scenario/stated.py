"""What was stated over a template, so that a file of it says so too."""

from typing import Any

from roi.errors import InputError
from roi.scenario.file import check_scenario, scenario_data, steps
from roi.scenario.scenario import Scenario


def stated_data(scenario: Scenario) -> dict[str, Any]:
    """What the user set, as `scenario_data`; numbers that were laid over a template say so by a source.

    Without one a file would take a number that is the template's own for its guess.
    """
    data = scenario_data(scenario)
    for path in scenario.stated:
        *parents, last = steps(path, block=False)
        place: Any = data
        for key in parents:
            place = place.get(key) if isinstance(place, dict) else None
        value = place.get(last) if isinstance(place, dict) else None
        if isinstance(value, bool) or not isinstance(value, (int, float, dict)) or (
                isinstance(value, dict) and ("value" not in value or "source" in value)):
            continue
        place[last] = {**(value if isinstance(value, dict) else {"value": value}), "source": "stated"}
        try:
            check_scenario(data)
        except InputError:  # a number that takes no source
            place[last] = value
    return data
