"""Errors and coverage of every source, engine and card in a minute, so that a change of the model can be judged.

    python lab/quick.py [TABLE.csv ...] [--by source] [--worst N] [--profile]
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from roi.estimate.accuracy.serving_errors import validate_serving
from roi.evidence.serving_speed import serving_evidence
from roi.store.tables.csv_table import read_csv
from roi.store.tables.serving_table import serving_table

TABLES = [Path(__file__).parent / "tables" / f"serving-{n}.csv" for n in (1, 2)]


def main() -> None:
    """Print a line for every quantity, source, engine and card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", type=Path, default=TABLES)
    parser.add_argument("--worst", type=int, default=0)
    parser.add_argument("--only", default="", help="rows whose source, engine, card or id hold this")
    parser.add_argument("--model-left-out", action="store_true", help="predict each row from a fit of the other models")
    asked = parser.parse_args()
    groups = defaultdict(list)
    began, works = time.time(), []
    for path in asked.tables:
        table = serving_table(read_csv(path))
        runs = [r for r in table.runs if asked.only in f"{r.source} {r.engine} {r.system.gpu.id} {r.id}"]
        labels = table.labels
        evidence = serving_evidence
        if asked.model_left_out:
            from fit_serving_efficiencies import read_works
            from left_out import without_its_model
            works = works or read_works(asked.tables)
            evidence = without_its_model(works)
        found = validate_serving(runs, labels, table.skipped, evidence)
        print(path.name, len(labels), "rows,", len(table.skipped), "skipped", len(found.unpredicted), "unpredicted",
              len([r for r in runs if r.implausible]), "implausible")
        for s in (*found.scores, *(s for s in found.apart if s.derived)):
            name = s.quantity + ("*" if s.derived else "")
            for key in ("all", s.label.source, f"{s.label.source} {s.label.engine} {s.label.gpu}"):
                groups[name, key].append(s)
    print(f"{time.time() - began:.1f} s")
    for (quantity, key), scores in sorted(groups.items()):
        e = np.array([s.error for s in scores])
        log = np.array([np.log(s.predicted / s.measured) for s in scores])
        width = np.mean([np.log(s.high / s.low) for s in scores])
        cov = np.mean([s.low <= s.measured <= s.high for s in scores])
        oracle = 2 * np.quantile(np.abs(log), 0.9)
        print(f"{quantity:12}{key:52}{len(scores):5}  median {np.median(abs(e)):6.1f} mape {np.mean(abs(e)):7.1f}"
              f" bias {100*np.median(np.expm1(log)):+7.1f}  in90 {100*cov:4.0f}  width {width:.2f} oracle {oracle:.2f}")
        if asked.worst:
            for s in sorted(scores, key=lambda s: -abs(np.log(s.predicted / s.measured)))[:asked.worst]:
                print("     ", s.label.id, s.label.model, f"{s.measured:.4g} {s.predicted:.4g} {s.error:+.0f}%")


main()
