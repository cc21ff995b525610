"""Pauses garbage collection while a function is loaded. `bootstrap` imports this module first.

Imports create no garbage, but each collection examines all objects: docs/decisions.md gives the figure.
"""

import gc

gc.disable()


def finish() -> None:
    """Resume collection after the function is loaded. Later collections skip the objects that exist now."""
    gc.enable()
    gc.freeze()
