"""What really happens, dry, on a device or on a server; a file that needs torch imports `stack` first, so that it is quiet."""
