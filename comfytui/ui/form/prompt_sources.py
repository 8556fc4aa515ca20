"""Where the completions of a prompt come from: the server and the user's files, each read when it is first needed."""

import asyncio
import time
from pathlib import Path
from typing import Final, NamedTuple

from comfytui.comfy.errors import ComfyError
from comfytui.sanitize import sanitize
from comfytui.service.prompt_tools import fetch_lora_names
from comfytui.service.thread import ServiceThread
from comfytui.workflow.prompt_text.completion import Entry, Kind, NameIndex, Query, TagIndex
from comfytui.workflow.prompt_text.tag_list import load_tags
from comfytui.workflow.prompt_text.wildcards import FolderStamp, Wildcards, load_wildcards, stamp_of

MAX_WORDS: Final = 200
"""Characters of a LoRA's trigger words that are shown."""
Index = NameIndex | TagIndex
_OF_SERVER: Final = frozenset({Kind.EMBEDDING, Kind.LORA})
"""Kinds of names that the server has; the others are in the user's files."""


class _Known(NamedTuple):
    """The names of one kind as they were when they were last looked at."""

    names: Index
    stamp: FolderStamp | None
    """What the files were that they are from; None for names of the server."""


class PromptSources:
    """The names that a prompt may complete.

    Names that were read are offered until newer ones are: of the server after it came back, of the user's files after
    these changed.

    Args:
        service: The service of the server.
        folder: The folder with the user's files, None for none.
        pause: Seconds before the files, or a server that did not answer, are looked at again.
    """

    def __init__(self, service: ServiceThread, folder: Path | None, pause: float) -> None:
        self._service = service
        self._folder = folder
        self._pause = pause
        self._known: dict[Kind, _Known] = {}
        self._loading: set[Kind] = set()
        self._looked_at: dict[Kind, float] = {}
        """When names were looked at last, in monotonic seconds."""
        self._outdated = {*_OF_SERVER}
        """The names of the server that are still to be read."""
        self._words: dict[str, str] = {}

    def forget_server(self) -> None:
        """Have the names of the server read again: it came back, or is another one."""
        self._words.clear()
        for kind in _OF_SERVER:
            self._looked_at.pop(kind, None)
            self._outdated.add(kind)

    def find(self, query: Query) -> list[Entry] | None:
        """Return the entries for what was typed; None if they are not read yet."""
        known = self._known.get(query.kind)
        return None if known is None else known.names.find(query.text)

    def is_due(self, kind: Kind) -> bool:
        """Return whether the names of one kind are to be looked at."""
        if kind in self._loading or (kind in _OF_SERVER and kind not in self._outdated):
            return False
        looked_at = self._looked_at.get(kind)
        return looked_at is None or time.monotonic() - looked_at >= self._pause

    async def load(self, kind: Kind) -> bool:
        """Read the names of one kind if they are due, and return whether they may be new."""
        if not self.is_due(kind):
            return False
        self._loading.add(kind)
        self._looked_at[kind] = time.monotonic()
        # The server may come back while it is read from: then it is read again.
        self._outdated.discard(kind)
        try:
            return await self._load(kind)
        except ComfyError:
            self._outdated.add(kind)
            return False
        finally:
            self._loading.discard(kind)

    async def _load(self, kind: Kind) -> bool:
        stamp = None
        if kind not in _OF_SERVER:
            stamp = await asyncio.to_thread(stamp_of, self._path(kind))
            if (known := self._known.get(kind)) and known.stamp == stamp:
                return False
        self._known[kind] = _Known(await self._read(kind), stamp)
        return True

    def _path(self, kind: Kind) -> Path | None:
        return self._folder and self._folder / ("tags.csv" if kind is Kind.TAG else "wildcards")

    async def _read(self, kind: Kind) -> Index:
        match kind:
            case Kind.EMBEDDING:
                names = await asyncio.wrap_future(self._service.call(lambda backend: backend.embeddings()))
            case Kind.LORA:
                names = await asyncio.wrap_future(self._service.call(fetch_lora_names))
            case Kind.WILDCARD:
                names = (await self.wildcards()).names
            case Kind.TAG:
                return await asyncio.to_thread(self._read_tags)
        return await asyncio.to_thread(NameIndex, kind, names)

    def _read_tags(self) -> TagIndex:
        path = self._path(Kind.TAG)
        return TagIndex(load_tags(path) if path else [])

    async def wildcards(self) -> Wildcards:
        """Return the user's wildcards as they are now."""
        return await asyncio.to_thread(load_wildcards, self._path(Kind.WILDCARD))

    def trigger_words(self, name: str) -> str | None:
        """Return what a prompt is to hold for a LoRA; None if that is not read yet."""
        return self._words.get(name)

    async def load_trigger_words(self, name: str) -> None:
        """Read what a prompt is to hold for a LoRA."""
        try:
            metadata = await asyncio.wrap_future(self._service.call(lambda backend: backend.lora_metadata(name)))
        except ComfyError:
            return
        self._words[name] = sanitize(", ".join(metadata.trigger_words[:20]), MAX_WORDS) if metadata else ""
