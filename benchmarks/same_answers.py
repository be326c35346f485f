"""Whether every answer is what it was: text of every option letter by letter, JSON to 1e-9, of 26 scenarios.

    python benchmarks/same_answers.py write FOLDER     before a change
    python benchmarks/same_answers.py check FOLDER     after it

The bundled scenario, the business cases of tests/answers/cases, and random scenarios of tests/support: one screen, all of it
(--full), each option explained, and the JSON.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from random_scenarios import scenario as random_scenario  # noqa: E402 -- lies beside the tests

from roi.answers.opening import open_case  # noqa: E402
from roi.economics.decision.comparison import compare  # noqa: E402
from roi.report.comparison.answer_json import comparison_json  # noqa: E402
from roi.report.comparison.compare import comparison_text  # noqa: E402
from roi.scenario.file import check_scenario, load_scenario  # noqa: E402
from roi.scenario.scenario import Scenario  # noqa: E402
from roi.scenario.yaml import read_yaml  # noqa: E402

RANDOM, DRAWS = 10, 2048
NEAR = 1e-9
"""Share of a number, and USD beside 0, by which it may differ: rounding of sums of thousands."""


def scenarios() -> Iterator[tuple[str, Scenario]]:
    """The name of each scenario, and the scenario."""
    yield "bundled", load_scenario()
    for path in sorted((ROOT / "tests" / "answers" / "cases").glob("*.yaml")):
        data = read_yaml(path)
        data.pop("expect")
        yield path.stem, check_scenario(data)
    for seed in range(RANDOM):
        yield f"random-{seed}", check_scenario({**random_scenario(seed), "draws": DRAWS})


def told(scenario: Scenario) -> dict[str, Any]:
    """All texts of the answer, and its JSON."""
    resolved = open_case(scenario)
    found = compare(resolved.case)
    texts = {"screen": comparison_text(found, resolved.warnings), "full": comparison_text(found, resolved.warnings, full=True)}
    texts |= {o.id: comparison_text(found, resolved.warnings, o.id) for o in found.options}
    return {"texts": texts, "json": json.loads(comparison_json(found, version="", scenario=None, warnings=resolved.warnings))}


def differences(was: Any, now: Any, place: str = "") -> Iterator[str]:  # Any: plain JSON values
    """Where two JSON values differ by more than rounding."""
    if isinstance(was, dict) and isinstance(now, dict) and was.keys() == now.keys():
        for key, value in was.items():
            yield from differences(value, now[key], f"{place}.{key}")
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for k, value in enumerate(was):
            yield from differences(value, now[k], f"{place}[{k}]")
    elif isinstance(was, float) and isinstance(now, float):
        if abs(was - now) > NEAR * max(abs(was), abs(now), 1.0):
            yield f"{place}: {was!r} -> {now!r}"
    elif was != now:
        yield f"{place}: {str(was)[:200]!r} -> {str(now)[:200]!r}"


def main(what: str, folder: Path) -> int:
    """Write the answers, or compare them with those that were written."""
    folder.mkdir(parents=True, exist_ok=True)
    found = 0
    for name, scenario in scenarios():
        path, answer = folder / f"{name}.json", told(scenario)
        if what == "write":
            path.write_text(json.dumps(answer))
            continue
        was = json.loads(path.read_text())
        moved = list(differences(was["json"], answer["json"], "json"))
        for form, text in was["texts"].items():
            lines = zip(text.splitlines(), answer["texts"].get(form, "").splitlines(), strict=False)
            moved += [f"{form}: {a!r} -> {b!r}" for a, b in lines if a != b]
            if text != answer["texts"].get(form) and not moved:
                moved.append(f"{form}: other lines")
        found += len(moved)
        print(f"{name}: {len(was['texts'])} texts and JSON {'equal' if not moved else f'differ in {len(moved)} places'}")
        for each in moved[:10]:
            print(f"  {each}")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], Path(sys.argv[2])))
