"""A fix for asyncio servers of older Pythons, for the tests' own servers."""

import asyncio
from typing import Any


def close_late_accepts() -> None:
    """Close connections accepted just as their server closes; older Pythons leave them open (cpython issue 109564)."""
    transport = getattr(asyncio.selector_events, "_SelectorTransport")  # noqa: B009 - unknown to the type checker
    make = transport.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            make(self, *args, **kwargs)
        except AssertionError:
            self._sock.close()
            self._sock = None
            raise

    transport.__init__ = init
