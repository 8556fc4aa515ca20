"""The templates and saved workflows of the simulated server, in the editor's format."""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any

from comfytui.sim.painting import paint
from comfytui.sim.painting.scene import Scene

PACK_TEMPLATES = {"lab-nodes": ["lab_sampler"]}
"""Names of the templates of each pack of nodes."""
SAVED = {
    "fox in snow.json": "text_to_image",
    "loras/two styles.json": "two_loras",
    "needs a pack.json": "missing_pack",
}
"""The workflow that is saved under each path."""
EXAMPLE_NAME = "example.png"
"""The image that the input folder of every ComfyUI has."""
EXAMPLE_SIZE = (256, 256)
PAINTED_SIZE = (96, 96)
"""Pixels of it that are painted and then enlarged: each start of the server waits for it."""


@cache
def example_image() -> bytes:
    """Return the content of that image."""
    buffer = BytesIO()
    painted = paint(Scene("a harbour town in the morning", 1), PAINTED_SIZE)
    painted.resize(EXAMPLE_SIZE).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


@cache
def template_index() -> list[dict[str, Any]]:
    """Return the body of `/templates/index.json`: the editor's templates by kind."""
    index: list[dict[str, Any]] = json.loads(workflow_file("index"))
    return index


def workflow_file(name: str) -> bytes:
    """Return the content of a file of this folder, without its extension."""
    return files(__name__).joinpath(f"{name}.json").read_bytes()


def saved_workflows() -> Iterator[tuple[str, bytes]]:
    """Yield the path and the content of each saved workflow."""
    for path, name in SAVED.items():
        yield path, workflow_file(name)
