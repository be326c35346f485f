"""The published JSON Schema."""

import json
from pathlib import Path

from roi.scenario.policy import Policy
from roi.scenario.scenario import Scenario


def test_the_schema_in_docs_is_the_schema_of_the_code():
    """`roi schema > docs/scenario.schema.json` writes it anew."""
    published = json.loads((Path(__file__).parents[2] / "docs" / "scenario.schema.json").read_text(encoding="utf-8"))

    assert published == Scenario.model_json_schema(by_alias=True)


def test_every_field_says_what_it_means():
    schema = Scenario.model_json_schema(by_alias=True)

    silent = [f"{name}.{key}" for name, block in schema["$defs"].items() for key, field in block["properties"].items()
              if "description" not in field]

    assert silent == []


def test_the_schema_of_a_policy_in_docs_is_that_of_the_code():
    """`roi schema --of policy > docs/policy.schema.json` writes it anew."""
    published = json.loads((Path(__file__).parents[2] / "docs" / "policy.schema.json").read_text(encoding="utf-8"))

    assert published == Policy.model_json_schema(by_alias=True)
