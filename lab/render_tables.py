"""docs/tables.md and the JSON Schemas of its tables, from the docstrings of the rows' columns.

    python lab/render_tables.py

tests/store/test_tables_docs.py checks that they are current.
"""

import json
from pathlib import Path
from typing import Any

from roi.store.tables.canonical_row import CanonicalRow
from roi.store.tables.serving_table import ServingRow
from roi.store.tables.training_table import TrainingRow

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "tables.md"

KINDS: dict[str, type[CanonicalRow]] = {"training-table": TrainingRow, "serving-table": ServingRow}

Schema = dict[str, Any]  # Any: JSON

INTRO = """# Tables of measured runs

Written by `lab/render_tables.py`; do not edit. `roi validate` reads a table of training runs or of serving runs, `roi
calibrate` one of training runs: a CSV in UTF-8 with one row a run, commas, semicolons, tabs or bars between cells, and decimal
points. A table is of the kind that has more of its columns.

- A cell is a number without its unit, a date, `true` or `false`, a name of the catalog, or one of the words below. Columns of
  several words join them by `+`.
- A column that is not listed is an error, which names the nearest one. Columns that are not needed may be left away, and their
  cells may be blank.
- A row with a cell that is not canonical is skipped and counted, with its line, id, column, value, and what is allowed;
  `--strict` makes it an error (exit 2). So is a row that no plan or configuration expresses: a rank beyond the model's width,
  weights that the card does not hold.
- What the source does not say is left blank, or is filled with what stands in for it and named in `assumed`: both widen the
  interval. Nothing is guessed from prose.

`roi schema --of training-table` and `--of serving-table` print the JSON Schemas, which are docs/training-table.schema.json and
docs/serving-table.schema.json. Tables of published runs are in lab/tables/.
"""

TITLES = {"training-table": "Training runs", "serving-table": "Serving runs"}

EXAMPLES = {
    "training-table": "id,model,gpu,method,rank,target_modules,micro_batch,seq_len_max,peak_mem_gib,peak_mem_kind\n"
                      "a,qwen2.5-0.5b,RTX-4080,lora,16,q_proj+v_proj,2,1024,3.5,allocated\n",
    "serving-table": "id,model,gpu,engine,design,weight_dtype,kv_dtype,load,concurrency,isl,osl,output_tok_per_s\n"
                     "a,llama-3.1-8b,H100-80GB-SXM,vllm,recent,bf16,bf16,closed,16,1024,256,1000\n",
}
"""A small table of each kind; a test reads them."""


def page() -> str:
    """The text of docs/tables.md."""
    parts = [INTRO]
    for name, kind in KINDS.items():
        needed = set(kind.model_json_schema()["required"]) - {"id"}
        lines = ["| column | cells | meaning |", "|:--|:--|:--|"]
        lines += [f"| {column} | {cells(field, needed=column in needed)} | {field['description']} |"
                  for column, field in flat(kind.model_json_schema()).items()]
        parts += [f"## {TITLES[name]}\n", f"```csv\n{EXAMPLES[name]}```\n", "\n".join(lines) + "\n"]
    return "\n".join(parts)


def flat(schema: Schema) -> dict[str, Schema]:
    """Column -> its description and what its cells may be."""
    found = {}
    for column, field in schema["properties"].items():
        other = next((part for part in field.get("anyOf", ()) if part.get("type") != "null"), {})
        found[column] = {**other, **field, "description": " ".join(field["description"].split())}
    return found


def cells(field: Schema, *, needed: bool) -> str:
    """What a column's cells may be, in few words."""
    words = field.get("enum") or field.get("items", {}).get("enum") or ([field["const"]] if "const" in field else [])
    ends = [f"{sign} {field[key]:,.0f}" for key, sign in (
        ("exclusiveMinimum", "above"), ("minimum", "at least"), ("exclusiveMaximum", "below"), ("maximum", "at most"))
        if key in field]
    plain = {"integer": "whole number", "number": "number", "boolean": "true, false", "array": "words", "string": "text"}
    told = ", ".join(words) if words else " ".join([plain[field["type"]], ", ".join(ends)]).strip()
    if field["type"] == "array" and words:
        told = f"of {told}"
    told = told if "pattern" not in field else "date" if field["pattern"].startswith(r"^\d{4}") else "version"
    default = field.get("default")
    if needed or default is None or default == []:
        return f"{told}; needed" if needed else told
    shown = str(default).lower() if isinstance(default, bool) else f"{default:g}" if isinstance(default, float) else default
    return f"{told}; blank: {shown}"


def main() -> None:
    """Write the page and the schemas."""
    PAGE.write_text(page(), encoding="utf-8")
    for name, kind in KINDS.items():
        (DOCS / f"{name}.schema.json").write_text(json.dumps(kind.model_json_schema(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
