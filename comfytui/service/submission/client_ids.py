"""Which client ids are used with a server, and which of its jobs are mine.

A job is mine if its client id is: an id that this process holds, or one that owns batches in the journal (one state
folder, one user) on a server of the same fingerprint. How the address was written does not matter.

- A batch belongs to a fingerprint, and is known to be reached at the names and addresses where it was submitted or
  seen.
- At one of these, with that fingerprint, the whole batch is resumed: shown, sent, polled for, and marked lost if it is
  gone.
- Elsewhere the fingerprint alone proves nothing, since two machines can be alike: nothing of the batch is shown, sent
  or marked lost until a job with its client id is found in the queue or the history. Client ids are random and only
  ever sent to their own server, so this is that server, and the batch is known to be reached here as well from now on.
- A client id that another comfytui process holds stays with that process, and so does its socket. Its jobs are mine:
  they are shown from queue and history and can be cancelled one by one, but they are sent, re-sent and recorded only by
  their owner. All that others record is that they cancelled a job or what is unsent of a batch, and the owner reads
  that before it would send a job, mark it lost or re-send it. How jobs ended that were in no queue or history since is
  read from the journal.
- An id that no process holds any more is claimed by one that runs, for its unfinished batches, and released once these
  have ended. Its jobs stay mine. While one of them is lost, it is kept: whether to send that one again is decided here.
- What is submitted before any server has answered belongs to the address, and then to the first server that answers.
"""

from collections.abc import Collection
from dataclasses import replace

from comfytui.comfy.server import Server
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.journal.locks import Claim
from comfytui.service.journal.records import Endpoint, SavedBatch, SavedPrompt


class ClientIds:
    """The client ids held for one server, the first of them for new prompts.

    Args:
        journal: Which client ids own which batches.
        server: The server.
        fresh: Use a new id, and resume nothing of earlier starts.
        client_id: Use this id and no other.
    """

    def __init__(
        self, journal: AsyncJournal, server: Server, *, fresh: bool = False, client_id: str | None = None
    ) -> None:
        self._journal = journal
        self._unidentified = Endpoint("", server.label, server.address)
        self._endpoint = self._unidentified
        self._fresh = fresh
        self._given = client_id
        self._claims: list[Claim] = []
        self._mine: set[str] = set()
        self._held_elsewhere: set[str] = set()
        self._owners: dict[str, str] = {}

    @property
    def client_ids(self) -> tuple[str, ...]:
        """The ids that are held, each with a socket; none before they are claimed."""
        return tuple(claim.client_id for claim in self._claims)

    @property
    def endpoint(self) -> Endpoint:
        """The server, with the fingerprint that new batches belong to."""
        return self._endpoint

    @property
    def client_id(self) -> str:
        """The id that new prompts are sent under."""
        return self._claims[0].client_id

    @property
    def mine(self) -> frozenset[str]:
        """The ids whose jobs are mine, held or not, as far as they are known."""
        return frozenset(self._mine.union(self.client_ids))

    @property
    def held_elsewhere(self) -> frozenset[str]:
        """The ids of mine that another comfytui process holds."""
        return frozenset(self._held_elsewhere.difference(self.client_ids))

    def set_owner(self, batch: str, client_id: str) -> None:
        """Remember the id under which a resumed batch was begun."""
        self._owners[batch] = client_id

    def owner_of(self, batch: str) -> str:
        """Return the id to send prompts of a batch under: the one it was begun under if it is held, else the first."""
        owner = self._owners.get(batch)
        return owner if owner in self.client_ids else self.client_id

    async def last_fingerprint(self) -> str:
        """Return the fingerprint of the server that last answered at this address; empty if none ever did."""
        return await self._journal.fingerprint(self._unidentified.name) or ""

    async def acquire(self, fingerprint: str) -> list[SavedBatch]:
        """Claim the ids that own unfinished prompts of a server, or a new id, and return the batches to resume.

        Args:
            fingerprint: The server's fingerprint. If it is empty, no server has answered yet, and the ids are those of
                what was submitted here before.
        """
        self._endpoint = replace(self._unidentified, fingerprint=fingerprint)
        if self._given:
            self._claims = [Claim(self._given)]
        else:
            self._claims = await self._journal.claim_ids(self._endpoint, fresh=self._fresh)
        if self._fresh:
            return []
        self._assign_server()
        return await self._journal.restore(self._endpoint, self.client_ids)

    @property
    def earlier(self) -> tuple[str, ...]:
        """The ids that are held for batches of earlier starts and of processes that have ended: no new prompts."""
        return self.client_ids[1:]

    async def unneeded(self, client_ids: Collection[str]) -> list[str]:
        """Return the ids among these that own no unfinished prompt on the disk."""
        return await self._journal.finished_among(client_ids) if client_ids else []

    def release_one(self, client_id: str) -> None:
        """Release an id, to be called once its socket is closed; its jobs stay mine."""
        (released,) = (claim for claim in self._claims if claim.client_id == client_id)
        released.release()
        self._claims.remove(released)
        self._mine.add(client_id)

    def release(self) -> None:
        """Release every id, to be called once their sockets are closed."""
        for claim in self._claims:
            claim.release()

    def set_fingerprint(self, fingerprint: str) -> None:
        """Record the server's fingerprint; what was submitted before any server answered is that server's now."""
        self._journal.record_fingerprint(self._unidentified.name, fingerprint)
        if not self._endpoint.fingerprint:
            self._endpoint = replace(self._unidentified, fingerprint=fingerprint)
            self._assign_server()

    def _assign_server(self) -> None:
        if self._endpoint.fingerprint:
            self._journal.assign_server(self._endpoint, self.client_ids)

    async def recognise(self, seen: Collection[str]) -> tuple[tuple[str, ...], list[SavedBatch]]:
        """Find out which client ids of jobs on the server are mine, and claim those that no process holds any more.

        Args:
            seen: The client ids of the jobs.

        Returns:
            The ids that were claimed, and the batches that are to be shown from now on.
        """
        if self._fresh or not self._endpoint.fingerprint:
            return (), []
        before = self.mine
        recognised = await self._journal.recognise(self._endpoint, {*seen, *self._held_elsewhere})
        self._claims += recognised.claims
        self._mine.update(recognised.mine)
        if recognised.mine:  # Otherwise none is held, or the journal could not be read.
            self._held_elsewhere = set(recognised.held_elsewhere)
        claimed = tuple(claim.client_id for claim in recognised.claims)
        if not claimed and self.mine == before:
            return (), []
        if claimed:
            self._assign_server()
        return claimed, await self._journal.restore(self._endpoint, self.client_ids)

    async def ended_of(self, ids: Collection[str]) -> list[SavedPrompt]:
        """Return the prompts of this server that have ended according to the journal, whichever process owns them.

        Args:
            ids: The ids of their batches, or of a prompt of each batch.
        """
        return await self._journal.ended_of(self._endpoint, ids) if ids and not self._fresh else []

    @property
    def is_durable(self) -> bool:
        """Whether every batch is recorded on the disk."""
        return self._journal.is_durable
