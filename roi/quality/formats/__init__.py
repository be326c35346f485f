"""The formats, in the order in which they are tried: the ones that a tool writes first, one's own table last."""

from typing import Final

from roi.quality.formats.harness_samples import HARNESS
from roi.quality.formats.inspect_logs import INSPECT
from roi.quality.formats.langfuse_scores import LANGFUSE
from roi.quality.formats.own_rows import OWN
from roi.quality.formats.promptfoo import PROMPTFOO
from roi.quality.result_rows import Format

FORMATS: Final[tuple[Format, ...]] = (PROMPTFOO, HARNESS, INSPECT, LANGFUSE, OWN)
