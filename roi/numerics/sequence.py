"""A seeded low-discrepancy sequence: Sobol' points with a linear scramble, the same on every machine and every NumPy."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from roi.numerics.sobol_table import ENTRIES

Array = NDArray[np.float64]
Words = NDArray[np.int64]

BITS = 30
MAX_DIMENSIONS = ENTRIES.count(";") + 2


def sobol(start: int, stop: int, dimensions: int, seed: int | None) -> Array:
    """Points start..stop-1 of the sequence, shape (stop - start, dimensions), in the open interval (0, 1).

    Each dimension is scrambled by a random lower-triangular binary matrix and a digital shift (Matousek 1998), which keep
    the net structure: every power of two of points is balanced in every dimension, and a longer run extends a shorter one.
    With seed None the sequence is the plain one. Raises ValueError above MAX_DIMENSIONS.
    """
    if dimensions > MAX_DIMENSIONS:
        raise ValueError(f"{dimensions} uncertain facts; the sequence has {MAX_DIMENSIONS} dimensions")
    columns, shift = _scramble(dimensions, seed)
    k = np.arange(start, stop, dtype=np.int64)
    gray = k ^ (k >> 1)
    points = np.broadcast_to(shift, (k.size, dimensions)).copy()
    for bit in range(int(stop).bit_length()):
        points ^= np.where((gray >> bit & 1)[:, None] == 1, columns[:, bit], 0)
    return np.asarray((points + 0.5) * 2.0**-BITS, dtype=np.float64)


@lru_cache(maxsize=1)
def _directions() -> Words:
    """Direction words, shape (MAX_DIMENSIONS, BITS): bit b of the point index switches word b (Joe and Kuo 2008, eq. 1-2)."""
    table = np.empty((MAX_DIMENSIONS, BITS), dtype=np.int64)
    table[0] = 1 << np.arange(BITS - 1, -1, -1)
    for row, entry in enumerate(ENTRIES.split(";"), start=1):
        polynomial, *m = (int(word) for word in entry.split())
        degree = len(m)
        for i in range(degree, BITS):
            new = m[i - degree] ^ (m[i - degree] << degree)
            for j in range(1, degree):
                if polynomial >> (degree - j) & 1:
                    new ^= m[i - j] << j
            m.append(new)
        table[row] = [word << (BITS - 1 - i) for i, word in enumerate(m)]
    return table


@lru_cache(maxsize=4)
def _scramble(dimensions: int, seed: int | None) -> tuple[Words, Words]:
    """Direction words times a random lower-triangular matrix with ones on its diagonal, and a shift, for each dimension.

    Without a seed: the plain words and no shift.
    """
    columns = _directions()[:dimensions]
    if seed is None:
        return columns, np.zeros(dimensions, dtype=np.int64)
    words = _random_words(seed)
    scrambled = np.zeros_like(columns)
    rows = np.array([[next(words) >> (64 - BITS) for _ in range(BITS)] for _ in range(dimensions)], dtype=np.int64)
    for i in range(BITS):  # row i makes output bit i (from the top) out of input bits 0..i
        top = BITS - 1 - i
        mask = (rows[:, i] & ((1 << BITS) - (1 << top))) | (1 << top)
        parity = np.bitwise_count(columns & mask[:, None]) & 1
        scrambled |= parity.astype(np.int64) << top
    return scrambled, np.array([next(words) >> (64 - BITS) for _ in range(dimensions)], dtype=np.int64)


def _random_words(seed: int) -> Iterator[int]:
    """64-bit words of the SplitMix64 generator (Steele, Lea, Flood 2014); no library's stream can change under us."""
    mask = (1 << 64) - 1
    state = seed & mask
    while True:
        state = (state + 0x9E3779B97F4A7C15) & mask
        mixed = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
        yield mixed ^ (mixed >> 31)
