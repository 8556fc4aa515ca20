"""Wrong tokens: their answers wait, and only so many at once, so that whoever guesses gets few answers.

It does not matter which addresses they come from: a proxy may not tell them, and a client may invent them. For the same
reason the right token never waits.
"""

import asyncio
import math

MAX_WAITING = 32
"""Answers that wait at once; one more wrong token is told to come later, without a wait."""


class WrongTokens:
    """Delays the answers to wrong tokens.

    Args:
        pause: Seconds from a wrong token to its answer.
    """

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._waiting = 0

    @property
    def retry_after(self) -> int:
        """Seconds after which one more answer may wait."""
        return max(1, math.ceil(self._pause))

    async def wait(self) -> bool:
        """Wait until an answer is due; return False at once if too many wait already."""
        if self._waiting >= MAX_WAITING:
            return False
        self._waiting += 1
        try:
            await asyncio.sleep(self._pause)
        finally:
            self._waiting -= 1
        return True
