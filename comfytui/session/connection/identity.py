"""Whether the server that answers is known to be the one that was served before."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class IdentityGate:
    """What is proven of the server's identity; until it is, nothing is believed of the server and nothing sent to it.

    A verification holds until the connection breaks. Each socket that opens needs one of its own, requested after it
    opened: it may lead to another server than the last answer came from.
    """

    fingerprint: str = ""
    """The fingerprint of the known server; empty before the first one answered."""
    other_fingerprint: str = ""
    """That of the other server that was reported, while the known one is not back."""
    is_verified: bool = False
    """Whether the server is the known one, and its capabilities are known too."""
    breaks: int = 0
    """How often the connection broke."""
    sockets_opened: int = 0
    """How many sockets opened."""
    sockets_verified: int = 0
    """How many of them had opened before the last verification was requested."""
    reason: str = ""
    """Why the server could not be verified."""

    @property
    def is_ready(self) -> bool:
        """Whether the server is verified, and was so after the last socket opened."""
        return self.is_verified and self.sockets_verified == self.sockets_opened

    def broken(self) -> "IdentityGate":
        """Return the gate after the connection broke: it requires a new verification."""
        return replace(self, is_verified=False, breaks=self.breaks + 1)

    def socket_opened(self) -> "IdentityGate":
        """Return the gate after one more socket opened."""
        return replace(self, sockets_opened=self.sockets_opened + 1)

    def seen(self, fingerprint: str) -> "IdentityGate":
        """Return the gate after a server named its fingerprint; the first one to do so becomes the known one."""
        if self.fingerprint and fingerprint != self.fingerprint:
            return replace(self, other_fingerprint=self.other_fingerprint or fingerprint)
        return replace(self, fingerprint=fingerprint, other_fingerprint="")

    def answered_after(self, sockets_opened: int) -> "IdentityGate":
        """Return the gate after the known server answered a request that followed so many sockets."""
        return replace(self, sockets_verified=max(self.sockets_verified, sockets_opened))

    def verified(self, sockets_opened: int, breaks: int) -> "IdentityGate":
        """Return the gate after a whole verification, unless the connection broke meanwhile."""
        if breaks != self.breaks:
            return self
        return replace(self.answered_after(sockets_opened), is_verified=True, reason="")
