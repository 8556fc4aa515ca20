"""What the server in memory (`fake_backend.py`) offers to make prompts with: a test sets it, and reads the uploads."""

import asyncio
import copy
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath

from comfytui.comfy.protocol.library import LoraMetadata, SavedWorkflow, ServerFile, Template, TemplateGroup
from comfytui.comfy.protocol.models import Json
from comfytui.sim.catalogue.node_types import NodeType
from comfytui.sim.config import SimConfig


class FakeLibrary:
    """The library of a server that is always there.

    Args:
        described: The node types that `/object_info` describes.
        config: The models that the server has.
    """

    def __init__(self, described: Mapping[str, NodeType], config: SimConfig) -> None:
        self.described = described
        self.saved: dict[str, Json] | None = {}
        """The saved workflows by path; None for a server that keeps none of its users' files."""
        self.offered: list[tuple[str, Template, Json]] = []
        """The title of its group, the template, and the workflow of each template."""
        self.models: dict[str, Sequence[str]] = {
            "checkpoints": config.checkpoints,
            "diffusion_models": config.diffusion_models,
            "loras": config.loras,
            "text_encoders": config.text_encoders,
            "vae": config.vae,
        }
        self.embedded: Sequence[str] = ()
        """Names of the embeddings."""
        self.metadata: dict[str, LoraMetadata] = {}
        """What the files of LoRAs say, by name."""
        self.uploads: dict[ServerFile, bytes] = {}
        """The content of each file that was uploaded."""
        self.definition_requests = 0
        """How often all definitions were requested."""

    def _check(self) -> None:
        """Raise unless the server is up."""

    async def object_info(self, class_type: str) -> Mapping[str, Json]:
        self._check()
        node = self.described.get(class_type)
        return json.loads(json.dumps({class_type: node.info()})) if node else {}

    async def definitions(self) -> Mapping[str, Mapping[str, Json]]:
        self._check()
        self.definition_requests += 1
        described: Mapping[str, Mapping[str, Json]] = json.loads(
            json.dumps({name: node.info() for name, node in self.described.items()})
        )
        return described

    async def saved_workflows(self) -> tuple[SavedWorkflow, ...] | None:
        self._check()
        if self.saved is None:
            return None
        return tuple(SavedWorkflow(path, len(json.dumps(each)), 1.8e9) for path, each in self.saved.items())

    async def saved_workflow(self, path: str) -> Json:
        self._check()
        return copy.deepcopy((self.saved or {}).get(path))

    async def templates(self) -> tuple[TemplateGroup, ...]:
        self._check()
        groups: dict[str, list[Template]] = {}
        for title, template, _ in self.offered:
            groups.setdefault(title, []).append(template)
        return tuple(TemplateGroup(title, tuple(templates)) for title, templates in groups.items())

    async def template(self, template: Template) -> Json:
        self._check()
        return next((copy.deepcopy(workflow) for _, each, workflow in self.offered if each == template), None)

    async def model_folders(self) -> tuple[str, ...]:
        self._check()
        return tuple(self.models)

    async def model_names(self, folder: str) -> tuple[str, ...] | None:
        self._check()
        return tuple(self.models[folder]) if folder in self.models else None

    async def embeddings(self) -> tuple[str, ...]:
        self._check()
        return tuple(self.embedded)

    async def lora_metadata(self, name: str) -> LoraMetadata | None:
        self._check()
        return self.metadata.get(name)

    async def upload(
        self,
        source: Path | bytes,
        name: str,
        report: Callable[[int, int], object] = lambda _, __: None,
        *,
        subfolder: str = "",
        overwrite: bool = False,
        mask_of: ServerFile | None = None,
    ) -> ServerFile:
        self._check()
        content = source if isinstance(source, bytes) else await asyncio.to_thread(source.read_bytes)
        report(0, len(content))
        file, number = ServerFile(name, subfolder), 0
        while not overwrite and self.uploads.get(file, content) != content:
            number += 1
            file = ServerFile(f"{PurePath(name).stem} ({number}){PurePath(name).suffix}", subfolder)
        self.uploads[file] = content
        report(len(content), len(content))
        return file
