"""What really happens, dry or on a device; every door into this room goes through `stack` first, so that it is quiet."""

from roi.profiling import stack as stack
