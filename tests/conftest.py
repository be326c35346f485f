"""Hypothesis without a deadline: a loaded machine is no failure. Ctrl-C at its default: a shell's background jobs ignore it."""

import signal

from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # children inherit it: tests send it to them
