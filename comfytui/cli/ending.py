"""Ends the process of a command: what it wrote is written, and no thread that hangs delays it."""

import os
import sys
import threading
from collections.abc import Collection
from contextlib import suppress
from typing import NoReturn


def end_process(code: int, before: Collection[threading.Thread]) -> NoReturn:
    """Exit with a code; at once if a service could not be stopped in time.

    A DNS lookup that hangs in the service's thread would delay the exit until it returns: its own thread is no daemon.

    Args:
        code: The exit code.
        before: The threads that ran before the command did.

    Raises:
        SystemExit: Every thread of the command has ended, or will.
    """
    if not any(thread.daemon and thread not in before for thread in threading.enumerate()):
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            if stream:  # None if it was closed from the start.
                stream.flush()
    os._exit(code)
