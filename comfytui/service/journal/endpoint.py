"""A server as the journal knows it: what it showed of itself, and where it was reached."""

from dataclasses import dataclass

from comfytui.service.journal.text import escaped

AT_ENDPOINT = """batches.server IN (:fingerprint, '') AND EXISTS (
    SELECT 1 FROM addresses WHERE addresses.batch = batches.batch AND address IN (:name, :address))"""
"""SQL condition for the batches of an endpoint: of its server, or ordered there before any server had answered."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A fingerprint, empty until a server answered, and the name and address it is reached by (without secrets).

    A fingerprint alone does not tell two identical machines apart, and an address alone may lead to another machine
    tomorrow: a batch is taken over only where both are those it was ordered for, or where its prompts were seen.
    """

    fingerprint: str
    name: str
    address: str

    @property
    def values(self) -> dict[str, str]:
        """The values of `AT_ENDPOINT`."""
        return {
            "fingerprint": escaped(self.fingerprint),
            "name": escaped(self.name),
            "address": escaped(self.address),
        }
