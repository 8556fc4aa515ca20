"""Garbage collection waits for the first paint: what is made before stays, so that collecting it is wasted work."""

import gc


def disable() -> None:
    """Disable garbage collection until the first paint."""
    gc.disable()


def enable() -> None:
    """Enable garbage collection, for objects that are made from now on; a second call does nothing."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
