"""Pauses garbage collection while a function is loaded. `bootstrap` imports this module first.

Nothing that an import creates is garbage, but each collection looks at all of it: `make bench` shows the difference,
docs/decisions.md gives the figure.
"""

import gc

gc.disable()


def finish() -> None:
    """Resume collection when the function is loaded; what was loaded is left out of every later collection."""
    gc.enable()
    gc.freeze()
