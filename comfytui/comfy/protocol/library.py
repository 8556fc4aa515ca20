"""What a server offers to make prompts with: saved workflows, templates, models, and the files uploaded to it."""

import json
from dataclasses import dataclass

FOLDERS = ("input", "output", "temp")
"""The folders of a server that files are in."""
LIBRARY_LIMIT = 20_000
"""Saved workflows and templates: the number of rows that a list shows without delaying keys."""


@dataclass(frozen=True, slots=True)
class SavedWorkflow:
    """One workflow that the editor saved on the server."""

    path: str
    """Its path below the folder of workflows, as the server has it."""
    size: int | None = None
    """In bytes; None on servers before October 2024, like the time."""
    modified: float | None = None
    """In seconds of the server's clock."""


@dataclass(frozen=True, slots=True)
class Template:
    """One template: a workflow in the editor's format that comes with ComfyUI or with a pack of nodes."""

    name: str
    """The name of its file, without `.json`."""
    title: str
    pack: str = ""
    """The pack of nodes that it comes with; empty for those of ComfyUI itself."""
    description: str = ""
    media: str = ""
    """What it makes or shows: `image`, `video`, `audio`, `3d`."""
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    """Names of the models that it needs, as people call them."""
    is_paid: bool = False
    """Whether its nodes send everything to a paid service."""


@dataclass(frozen=True, slots=True)
class TemplateGroup:
    """The templates of one kind, or of one pack of nodes."""

    title: str
    templates: tuple[Template, ...]
    problem: str = ""
    """Why they could not be read; empty if they could."""


@dataclass(frozen=True, slots=True)
class LoraMetadata:
    """What the file of a LoRA says about itself."""

    title: str = ""
    trigger_phrase: str = ""
    """What its author wrote that a prompt is to hold."""
    tags: tuple[tuple[str, int], ...] = ()
    """The tags of its training images, and how many have them; the most frequent first."""
    base_model: str = ""

    @property
    def trigger_words(self) -> tuple[str, ...]:
        """What to write into a prompt: the author's phrase in parts, then the tags."""
        phrase = (part.strip() for part in self.trigger_phrase.split(","))
        return tuple(dict.fromkeys([*filter(None, phrase), *(tag for tag, _ in self.tags)]))


@dataclass(frozen=True, slots=True)
class ServerFile:
    """A file in one of a server's folders."""

    name: str
    subfolder: str = ""
    folder: str = "input"
    """One of `FOLDERS`."""

    @property
    def value(self) -> str:
        """The value by which the input of a node, such as that of LoadImage, names the file."""
        path = f"{self.subfolder}/{self.name}" if self.subfolder else self.name
        return path if self.folder == "input" else f"{path} [{self.folder}]"

    @property
    def reference(self) -> str:
        """The JSON by which a mask names the image that it belongs to."""
        return json.dumps({"filename": self.name, "subfolder": self.subfolder, "type": self.folder})


def server_file(value: str) -> ServerFile:
    """Return the file that an input of a node names, see `ServerFile.value`."""
    for folder in FOLDERS:
        if value.endswith(mark := f" [{folder}]"):
            subfolder, _, name = value.removesuffix(mark).rpartition("/")
            return ServerFile(name, subfolder, folder)
    subfolder, _, name = value.rpartition("/")
    return ServerFile(name, subfolder)
