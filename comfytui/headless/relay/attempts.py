"""Attempts to show the token: after a wrong one, those from the same address are compared one by one, slowly.

Nobody is locked out: behind a proxy that does not tell addresses, whoever guesses shares one with everybody else.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

MAX_ADDRESSES = 1024
"""Addresses that are remembered; the one that failed least recently is dropped first."""


class Attempts:
    """Compares what clients show, each address apart.

    Args:
        is_right: Returns whether something is the token.
        pause: Seconds from a wrong token to the next comparison.
    """

    def __init__(self, is_right: Callable[[str], bool], pause: float) -> None:
        self._is_right = is_right
        self._pause = pause
        self._queues: OrderedDict[str, _Queue] = OrderedDict()  # of addresses that have failed

    async def succeeds(self, address: str, shown: str) -> bool:
        """Return whether the token is shown, once it is its turn."""
        network = _network_of(address)
        if (queue := self._queues.get(network)) is None:
            return self._compare(network, shown)
        async with queue.turn:
            # A client that leaves while it waits ends no pause.
            await asyncio.sleep(queue.free_at - asyncio.get_running_loop().time())
            return self._compare(network, shown)

    def _compare(self, network: str, shown: str) -> bool:
        if self._is_right(shown):
            return True
        queue = self._queues.setdefault(network, _Queue())
        queue.free_at = asyncio.get_running_loop().time() + self._pause
        self._queues.move_to_end(network)
        if len(self._queues) > MAX_ADDRESSES:
            self._queues.popitem(last=False)
        return False


class _Queue:
    """Those of one address that wait until what they show is compared, in the order in which they came."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.free_at = 0.0
        """When the pause after the last wrong token ends."""


def _network_of(address: str) -> str:
    """Return what one client has: an IPv4 address, or a /64 of IPv6, in which it may take any address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(parsed.packed[:8] + bytes(8)))
    return str(parsed)
