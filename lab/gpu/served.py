"""A model folder that a server can load: served.py FOLDER MODEL [--no-weights]     (no weights: for a server's dummy ones)."""

import json
import sys
from pathlib import Path

from roi.profiling.model_to_build import choose_model_to_build
from roi.profiling.server.dummy_model import write_model
from roi.profiling.session import pick_device

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write_model(folder, choose_model_to_build(sys.argv[2], None, pick_device(None)), weights="--no-weights" not in sys.argv)
    print(json.dumps({file.name: file.stat().st_size for file in sorted(folder.iterdir())}))
