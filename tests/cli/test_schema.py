"""The published JSON Schemas: of the scenario, of a policy, of the rows of tables."""

import json
from pathlib import Path

import pytest
from asked import ask

from roi.cli.schema import KINDS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_in_docs_is_what_the_command_prints_and_says_what_every_field_means(kind: str) -> None:
    """`roi schema --of policy > docs/policy.schema.json` writes it anew."""
    published = json.loads((DOCS / f"{kind}.schema.json").read_text(encoding="utf-8"))
    assert json.loads(ask("schema", "--of", kind).stdout) == published
    blocks = {"": published, **published.get("$defs", {})}
    silent = [f"{name}.{key}" for name, block in blocks.items() for key, field in block.get("properties", {}).items()
              if not field.get("description")]
    assert silent == []


def test_the_scenario_is_what_schema_prints_unless_another_is_asked_for() -> None:
    schema = json.loads(ask("schema").stdout)
    assert schema == json.loads(ask("schema", "--format", "json").stdout)
    assert schema["title"] == "Scenario"
    assert {"schema", "as_of", "workload", "incumbent"} <= schema["properties"].keys()
