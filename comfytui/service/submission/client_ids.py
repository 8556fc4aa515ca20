"""Which client ids serve a server, and which of its jobs are mine.

What belongs to whom. A job is mine if its client id is: one that this process holds, or one that owns batches in the
journal (one state folder, one user) on a server of the same fingerprint. How the address was written does not matter.

- A batch belongs to a fingerprint, and is known to be reached at the names and addresses where it was ordered or seen.
- At one of these, with that fingerprint, it is taken over whole: shown, sent, looked for, called lost if it is gone.
- Elsewhere the fingerprint alone proves nothing, since two machines can be alike: nothing of it is shown, sent or
  called lost until a job with its client id is found in the queue or the history. Such an id is random and only ever
  sent to its own server, so this is that server, and the batch is reached here as well from now on.
- An id that another running comfytui holds stays with that one, and so does its socket: its jobs are mine, shown from
  queue and history and cancelled one by one, but never sent, sent again or written down by anybody else; only that one
  was cancelled is written down by whoever cancelled it, and read before it would be called lost or sent again. A later
  start takes it over once it is free.
- What is ordered where no server has answered yet belongs to the address, and then to the first server that answers.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from comfytui.comfy.server import Server
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.journal.locks import Claim
from comfytui.service.journal.records import Endpoint, SavedBatch
from comfytui.service.submission.batch import Submission
from comfytui.session.model import Batch

RECENT = 20
"""Ended batches that are shown again at the next start."""


class ClientIds:
    """The ids held for one server, the first for new prompts; `fresh` takes nothing over from before."""

    def __init__(
        self, journal: AsyncJournal, server: Server, *, fresh: bool = False, client_id: str | None = None
    ) -> None:
        self._scribe = journal
        self._nowhere = Endpoint("", server.shown, server.address)
        self._endpoint = self._nowhere
        self._fresh = fresh
        self._given = client_id
        self._claims: list[Claim] = []
        self._mine: set[str] = set()
        self._elsewhere: set[str] = set()
        self._owners: dict[str, str] = {}

    @property
    def client_ids(self) -> tuple[str, ...]:
        """The ids that are held, each with a socket; none before the move in."""
        return tuple(claim.client_id for claim in self._claims)

    @property
    def client_id(self) -> str:
        """The id that new prompts are sent under."""
        return self._claims[0].client_id

    @property
    def mine(self) -> frozenset[str]:
        """The ids whose jobs are mine, held or not, as far as they are known."""
        return frozenset(self._mine.union(self.client_ids))

    @property
    def elsewhere(self) -> frozenset[str]:
        """Those that another running comfytui holds."""
        return frozenset(self._elsewhere.difference(self.client_ids))

    def own(self, batch: str, client_id: str) -> None:
        """Keep under which id a batch of before was begun."""
        self._owners[batch] = client_id

    def owner_of(self, batch: str) -> str:
        """The id that prompts of a batch are sent under: the one it was begun under, if that is ours."""
        owner = self._owners.get(batch)
        return owner if owner in self.client_ids else self.client_id

    async def known_box(self) -> str:
        """The fingerprint of the box that answered last time; empty at the very first time."""
        return await self._scribe.fingerprint(self._nowhere.name) or ""

    async def move_in(self, fingerprint: str) -> list[SavedBatch]:
        """Take over the ids of a server that own unfinished prompts, or a new one; what is known of their prompts.

        Without a fingerprint these are the ids of what was ordered here before any server answered.
        """
        self._endpoint = replace(self._nowhere, fingerprint=fingerprint)
        if self._given:
            self._claims = [Claim(self._given)]
        else:
            self._claims = await self._scribe.claim_ids(self._endpoint, fresh=self._fresh)
        if self._fresh:
            return []
        self._settle()
        return await self._scribe.restore(self._endpoint, self.client_ids, RECENT)

    def move_out(self) -> None:
        """Let others have the ids; for when their sockets are closed."""
        for claim in self._claims:
            claim.release()
        self._claims = []
        self._endpoint = self._nowhere
        self._owners.clear()
        self._mine.clear()
        self._elsewhere.clear()
        self._fresh = False

    def learned(self, fingerprint: str) -> None:
        """The server has shown which one it is."""
        self._scribe.remember_fingerprint(self._nowhere.name, fingerprint)
        if not self._endpoint.fingerprint:
            self._endpoint = replace(self._nowhere, fingerprint=fingerprint)
            self._settle()

    def _settle(self) -> None:
        if self._endpoint.fingerprint:
            self._scribe.assign_server(self._endpoint, self.client_ids)

    async def join(self, seen: Collection[str]) -> tuple[tuple[str, ...], list[SavedBatch]]:
        """Find out which client ids of jobs on the server are mine, and take over what nobody holds.

        Returns the ids that were taken over, and the batches that are known here from now on.
        """
        if self._fresh or not self._endpoint.fingerprint:
            return (), []
        joined = await self._scribe.recognise(self._endpoint, seen)
        self._claims += joined.claims
        self._mine.update(joined.mine)
        self._elsewhere.update(joined.elsewhere)
        taken = tuple(claim.client_id for claim in joined.claims)
        if not taken and not joined.mine:
            return (), []
        if taken:
            self._settle()
        return taken, await self._scribe.restore(self._endpoint, self.client_ids, RECENT)

    @property
    def is_durable(self) -> bool:
        """Whether every batch is written down, and stays so."""
        return self._scribe.is_durable

    def plan(self, batch: Batch, submissions: Sequence[Submission]) -> None:
        """Write a batch down."""
        self._scribe.plan(self._endpoint, self.client_id, batch, submissions)
