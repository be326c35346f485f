"""`roi schema`: the JSON Schema of the scenario file."""

import click


@click.command(short_help="JSON Schema of the scenario file, for editors.")
@click.option("--format", "form", type=click.Choice(["json"]), default="json", show_default=True, help="How to print.")
def schema(*, form: str) -> None:  # noqa: ARG001 -- every command takes --format; a schema has one
    """Print the JSON Schema of the scenario file; editors that know it complete and check the YAML."""
    import json

    from roi.cli.output import write
    from roi.scenario.schema import Scenario

    write(json.dumps(Scenario.model_json_schema(by_alias=True), indent=1))
