"""Arrays by what they hold."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]
Places = NDArray[np.intp]
"""Indices into another array, as NumPy's own functions give them."""
