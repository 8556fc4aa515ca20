"""Where the completions of a prompt come from: the server and the user's files, each read when it is first needed."""

import asyncio
from pathlib import Path
from typing import Final

from comfytui.comfy.errors import ComfyError
from comfytui.sanitize import sanitize
from comfytui.service.prompt_tools import fetch_lora_names
from comfytui.service.thread import ServiceThread
from comfytui.workflow.prompt_text.completion import Entry, Kind, NameIndex, Query, TagIndex
from comfytui.workflow.prompt_text.tag_list import load_tags
from comfytui.workflow.prompt_text.wildcards import Wildcards, load_wildcards

MAX_WORDS: Final = 200
"""Characters of a LoRA's trigger words that are shown."""
Index = NameIndex | TagIndex


class PromptSources:
    """The names that a prompt may complete; one kind of them is read once.

    Args:
        service: The service of the server.
        folder: The folder with the user's files, None for none.
    """

    def __init__(self, service: ServiceThread, folder: Path | None) -> None:
        self._service = service
        self._folder = folder
        self._indices: dict[Kind, Index] = {}
        self._loading: set[Kind] = set()
        self._words: dict[str, str] = {}

    def find(self, query: Query) -> list[Entry] | None:
        """Return the entries for what was typed; None if they are not read yet."""
        index = self._indices.get(query.kind)
        return None if index is None else index.find(query.text)

    async def load(self, kind: Kind) -> bool:
        """Read the names of one kind, and return whether they are new; those of a server that is away stay unread."""
        if kind in self._indices or kind in self._loading:
            return False
        self._loading.add(kind)
        try:
            self._indices[kind] = await self._read(kind)
        except ComfyError:
            return False
        finally:
            self._loading.discard(kind)
        return True

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
        return TagIndex(load_tags(self._folder / "tags.csv") if self._folder else [])

    async def wildcards(self) -> Wildcards:
        """Return the user's wildcards as they are now."""
        return await asyncio.to_thread(load_wildcards, self._folder and self._folder / "wildcards")

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
