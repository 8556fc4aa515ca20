"""Under which ids a box is served, and what the journal has of it: an address may lead to another box tomorrow."""

from collections.abc import Sequence

from comfytui.service.journal.locks import Claim
from comfytui.service.journal.saved import SavedBatch
from comfytui.service.journal.scribe import Scribe
from comfytui.service.orders import Parcel
from comfytui.session.model import Batch

RECENT = 20
"""Ended batches that are shown again at the next start."""


class Tenancy:
    """The ids held of one box, the first for new prompts; `fresh` takes nothing over from before."""

    def __init__(self, scribe: Scribe, server: str, *, fresh: bool = False, client_id: str | None = None) -> None:
        self._scribe = scribe
        self._server = server
        self._fresh = fresh
        self._given = client_id
        self._claims: list[Claim] = []
        self._box: str | None = None
        self._owners: dict[str, str] = {}
        self._unwritten: list[tuple[Batch, Sequence[Parcel]]] = []

    @property
    def client_ids(self) -> tuple[str, ...]:
        """The ids that are ours; none before the move in."""
        return tuple(claim.client_id for claim in self._claims)

    @property
    def client_id(self) -> str:
        """The id that new prompts are sent under."""
        return self._claims[0].client_id

    def own(self, batch: str, client_id: str) -> None:
        """Keep under which id a batch of before was begun."""
        self._owners[batch] = client_id

    def owner_of(self, batch: str) -> str:
        """The id that prompts of a batch are sent under: the one it was begun under, if that is ours."""
        owner = self._owners.get(batch)
        return owner if owner in self.client_ids else self.client_id

    async def known_box(self) -> str:
        """The fingerprint of the box that answered last time; empty at the very first time."""
        return await self._scribe.fingerprint(self._server) or ""

    async def move_in(self, fingerprint: str) -> list[SavedBatch]:
        """Take over the ids of a box that own unfinished prompts, or a new one; what is known of their prompts."""
        box = self._key(fingerprint)
        if self._given:
            self._claims = [Claim(self._given)]
        else:
            self._claims = await self._scribe.claims(box, fresh=self._fresh or not fingerprint)
        self._box = box if fingerprint else None
        if not fingerprint or self._fresh:
            return []
        return await self._scribe.restore(box, self.client_ids, RECENT)

    def move_out(self) -> None:
        """Let others have the ids; for when their sockets are closed."""
        for claim in self._claims:
            claim.release()
        self._claims = []
        self._box = None
        self._owners.clear()
        self._fresh = False

    def learned(self, fingerprint: str) -> None:
        """The box has shown which one it is."""
        self._scribe.remember_fingerprint(self._server, fingerprint)
        if self._box is None:
            self._box = self._key(fingerprint)
            for batch, parcels in self._unwritten:
                self._scribe.plan(self._box, self.client_id, batch, parcels)
            self._unwritten.clear()

    @property
    def keeps(self) -> bool:
        """Whether every batch is written down, and stays so."""
        return self._scribe.keeps and not self._unwritten

    def plan(self, batch: Batch, parcels: Sequence[Parcel]) -> None:
        """Write a batch down, as soon as it is known for which box it is."""
        if self._box is None:
            self._unwritten.append((batch, parcels))
        else:
            self._scribe.plan(self._box, self.client_id, batch, parcels)

    def _key(self, fingerprint: str) -> str:
        return f"{self._server} {fingerprint}"
