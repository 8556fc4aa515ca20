"""What the terminal that we were started in lets us do."""

import os
import sys
import termios


def is_ours() -> bool:
    """Whether we may set it: a job in the background waits here, one whose shell has forgotten it never may."""
    try:
        termios.tcsetattr(sys.stdin, termios.TCSANOW, termios.tcgetattr(sys.stdin))
    except termios.error:
        return False
    return True


def takes_unicode() -> bool:
    """By the locale that the user states; Python itself takes the C locale for UTF-8."""
    if os.environ.get("LC_ALL") in {"C", "POSIX"}:
        return False
    return (sys.stderr.encoding or "ascii").lower().replace("-", "") in {"utf8", "utf16", "utf32"}
