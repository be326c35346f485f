"""The scales of training speed that come with roi, fitted on the tables of published runs.

    python lab/fit_training_calibration.py      writes roi/catalog/efficiencies/training_calibration.json
"""

import json
from dataclasses import asdict
from pathlib import Path

from roi.answers.calibrate import table_runs
from roi.estimate.step.calibration import grouped, scale_group

LAB = Path(__file__).parent
FITS = LAB.parent / "roi" / "catalog" / "efficiencies" / "training_calibration.json"


def calibration() -> str:
    """The text of the file: one scale per source, card and layout, in the order of the tables."""
    tables = sorted((LAB / "tables").glob("training-*.csv"))
    fits = [asdict(scale_group(runs)) for runs in grouped(table_runs(tables).timed)]
    kept = [{name: round(value, 4) if isinstance(value, float) else value for name, value in fit.items() if value is not None}
            for fit in fits]
    return json.dumps({"tables": [table.name for table in tables], "groups": kept}, indent=1) + "\n"


if __name__ == "__main__":
    FITS.write_text(calibration(), encoding="utf-8")
