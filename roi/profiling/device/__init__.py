"""The rates that a device reaches: which operators are timed, how each is called, and the run through them."""
