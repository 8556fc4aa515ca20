"""What the cookie of a browser that has shown the token has in it: when its login ends, signed."""

import hashlib
import hmac
import time
from collections.abc import Callable

LIFETIME_SECONDS = 30 * 24 * 3600
ROUNDS = 100_000
"""Rounds that make the key from the token: whoever has a cookie needs as many for each token that they try."""


class LoginCookies:
    """Makes and checks the values of cookies; it keeps none of them.

    The key is made from the token: a login outlives a restart of the relay, and another token ends all.

    Args:
        token: The token of the relay.
        clock: Returns wall-clock seconds.
    """

    def __init__(self, token: bytes, clock: Callable[[], float] = time.time) -> None:
        self._key = hashlib.pbkdf2_hmac("sha256", token, b"comfytui relay login", ROUNDS)
        self._clock = clock

    def new(self) -> str:
        """Return the value of a cookie for a login that begins now."""
        ends = str(int(self._clock()) + LIFETIME_SECONDS)
        return f"{ends}.{self._sign(ends)}"

    def is_valid(self, value: str) -> bool:
        """Return whether this is the value of a cookie whose login has not ended."""
        ends, _, signature = value.partition(".")
        expected = self._sign(ends).encode()
        return hmac.compare_digest(signature.encode("utf-8", "surrogatepass"), expected) and int(ends) > self._clock()

    def _sign(self, text: str) -> str:
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), "sha256").hexdigest()
