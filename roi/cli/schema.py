"""`roi schema`: the JSON Schema of what roi reads."""

import click

KINDS = ("scenario", "policy", "training-table", "serving-table")


@click.command(short_help="JSON Schema of the scenario file, the policy, or a row of a table of measured runs.")
@click.option("--of", "kind", type=click.Choice(KINDS), default=KINDS[0], show_default=True,
              help="The scenario file, a policy of `roi check`, or a row of the tables of `roi validate`.")
@click.option("--format", "form", type=click.Choice(["json"]), default="json", show_default=True, help="How to print.")
def schema(*, kind: str, form: str) -> None:  # noqa: ARG001 -- every command takes --format; a schema has one
    """Print a JSON Schema: of the scenario or a policy, which editors complete and check the YAML by, or of a table's row."""
    import json

    from pydantic import BaseModel

    from roi.cli.output import write
    from roi.scenario.policy import Policy
    from roi.scenario.scenario import Scenario
    from roi.store.tables.serving_table import ServingRow
    from roi.store.tables.training_table import TrainingRow

    models: dict[str, type[BaseModel]] = {
        "scenario": Scenario, "policy": Policy, "training-table": TrainingRow, "serving-table": ServingRow,
    }  # fmt: skip
    write(json.dumps(models[kind].model_json_schema(by_alias=True), indent=1))
