"""Failed attempts to show the token: an address that fails too often has to wait."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

MAX_FAILURES = 10
WINDOW_SECONDS = 60.0
MAX_ADDRESSES = 1024
"""Addresses that are remembered; the one that failed least recently is dropped first."""


class FailedAttempts:
    """Counts the failures of each address within a minute.

    Args:
        clock: Returns seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def seconds_to_wait(self, address: str) -> float:
        """Return how long an address has to wait before its next attempt; 0 if it need not."""
        failures = self._failures.get(_network_of(address))
        if failures is None or len(failures) < MAX_FAILURES:
            return 0.0
        return max(0.0, failures[0] + WINDOW_SECONDS - self._clock())

    def add(self, address: str) -> None:
        """Count a failure."""
        network = _network_of(address)
        self._failures.setdefault(network, deque(maxlen=MAX_FAILURES)).append(self._clock())
        self._failures.move_to_end(network)
        if len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)


def _network_of(address: str) -> str:
    """Return what one client has: an IPv4 address, or a /64 of IPv6, in which it may take any address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(parsed.packed[:8] + bytes(8)))
    return str(parsed)
