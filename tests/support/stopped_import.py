"""A process of roi that asks itself to stop in the middle of an import."""

import sys

SCRIPT = """
import os, signal, sys

asked_for, wanted = sys.argv.pop(1), sys.argv.pop(1)

class Asked:
    def find_spec(self, name, path=None, target=None):
        if name == wanted:
            sys.meta_path.remove(asked)
            os.kill(os.getpid(), getattr(signal, asked_for))

asked = Asked()
sys.meta_path.insert(0, asked)
"""
MODULE = 'import runpy; runpy.run_module("roi", run_name="__main__", alter_sys=True)'
"""As `python -m roi` starts it."""
ENTRY = "from roi.__main__ import main; main()"
"""As the installed command starts it."""


def stopped_at(module: str, signal: str, start: str, *words: str) -> list[str]:
    """The command `roi` with these words, which gets the signal of that name where `module` is looked for."""
    return [sys.executable, "-c", SCRIPT + start, signal, module, *words]
