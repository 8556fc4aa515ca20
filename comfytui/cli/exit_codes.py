"""The exit codes of the commands."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended; a command returns one of these, or None for `DONE`."""

    DONE = 0
    """All went well."""
    FAILED = 1
    """A job failed, the server refused, or a file could not be saved."""
    USAGE = 2
    """An argument, an option or the config file is wrong."""
    LOST = 3
    """A job is lost: the server no longer knows it."""
    TIMEOUT = 4
    """The time given with an option is over."""
    UNREACHABLE = 5
    """The server does not answer."""
    INTERRUPTED = 130
    """`ctrl+c`: 128 and the number of SIGINT, as shells have it."""
    CLOSED_PIPE = 141
    """Nobody reads standard output any more, as after `| head`: 128 and the number of SIGPIPE."""
