"""What the outbox asks of whatever keeps, beyond the life of this process, what was sent."""

from collections.abc import Awaitable, Sequence
from typing import Protocol


class Ledger(Protocol):
    """Is told each step of a prompt on its way."""

    def sending(self, prompt_id: str, wall: float, client_id: str, evidence: Sequence[str]) -> Awaitable[object]:
        """A POST is about to begin, under this id, to a server that holds these witnesses."""

    def sent(self, prompt_id: str, accepted_id: str, number: float) -> object:
        """The server took the prompt."""

    def unsent(self, prompt_id: str) -> object:
        """The POST certainly did not land."""

    def cancel_requested(self, prompt_id: str) -> object:
        """It is to be cancelled if it landed."""
