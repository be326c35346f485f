"""`roi schema`: the JSON Schema of what roi reads."""

import click

from roi.cli.options import Choice

MODELS = {
    "scenario": "roi.scenario.scenario:Scenario", "policy": "roi.scenario.policy:Policy",
    "training-table": "roi.store.tables.training_table:TrainingRow",
    "serving-table": "roi.store.tables.serving_table:ServingRow",
}  # fmt: skip
"""Where each kind of input is written down; only the one that is asked for is loaded."""
KINDS = tuple(MODELS)


@click.command()
@click.option("--of", "kind", type=Choice(KINDS), default=KINDS[0], show_default=True,
              help="The scenario file, a policy of `roi check`, or a row of the tables of `roi validate`.")
@click.option("--format", "form", type=Choice(["json"]), default="json", show_default=True, help="How to print.")
def schema(*, kind: str, form: str) -> None:  # noqa: ARG001 -- every command takes --format; a schema has one
    """Print a JSON Schema: of the scenario or a policy, which editors complete and check the YAML by, or of a table's row."""
    import json
    from importlib import import_module

    from roi.cli.output import write

    module, _, name = MODELS[kind].partition(":")
    write(json.dumps(getattr(import_module(module), name).model_json_schema(by_alias=True), indent=1))
