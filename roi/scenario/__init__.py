"""What is asked: the schema of the scenario, its YAML file, and the templates to start from."""

TEMPLATES = ("classification", "extraction", "generation", "agent", "own-gpus")
"""Names of the templates that `roi init` writes; they stand here so that the command's help loads nothing else."""
