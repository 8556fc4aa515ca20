"""Actions on the form's list of inputs: read the server's definitions of nodes, and upload files."""

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from comfytui.comfy.errors import ComfyError
from comfytui.sanitize import sanitize
from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.form.input_panel import InputPanel
from comfytui.ui.form.input_rows import Item
from comfytui.workflow.graph import classes_of

if TYPE_CHECKING:
    from comfytui.comfy.protocol.library import ServerFile
    from comfytui.service.backend import Backend

MAX_NAME = 60
"""Characters of a file's name that are shown."""
PROGRESS_INTERVAL = 0.25
"""Seconds between two updates of an upload's progress."""


class InputActions:
    """Connects the form's list of inputs with the server."""

    def __init__(self, context: DashboardContext) -> None:
        self._context = context

    def load_definitions(self) -> None:
        """Read the server's definitions of the workflow's nodes for the form's list of inputs."""
        self._context.run(self._load_definitions, "definitions")

    async def _load_definitions(self) -> None:
        context, form = self._context, self._context.form
        classes = frozenset(classes_of(form.workflow.graph).values())
        try:
            definitions = await asyncio.wrap_future(context.service.definitions(classes))
        except ComfyError as error:
            context.notify(f"The server's node definitions could not be read: {error}", "warning")
            return
        if context.screen.display and form is context.form:
            form.inputs.update(definitions=definitions.classes)

    def upload(self, event: InputPanel.FileNamed) -> None:
        """Upload a file of this machine, and use the name that the server gives it."""
        upload = Upload(event.path, event.mask_of)
        self._context.run(partial(self._upload, event.panel, event.item, upload), f"upload {event.item.key}")

    async def _upload(self, panel: InputPanel, item: Item, upload: "Upload") -> None:
        name = sanitize(upload.path.name, MAX_NAME)
        future = self._context.service.call(upload.run, stops=True)
        panel.uploads.show(item, f"Uploading {name}", future.cancel)
        waiting = asyncio.wrap_future(future)
        try:
            while not (await asyncio.wait({waiting}, timeout=PROGRESS_INTERVAL))[0]:
                panel.uploads.show(item, upload.progress + f"Uploading {name}", future.cancel)
            if waiting.cancelled():
                text = f"The upload of {name} was cancelled"
                panel.uploads.end(item, f"{text}.")
                if not panel.is_attached and self._context.screen.display:
                    self._context.notify(f"{text}, since another form is shown.", "warning")
                return
            file = waiting.result()
        except ComfyError as error:
            panel.uploads.end(item, f"{name} could not be uploaded: {error}")
        except OSError as error:
            panel.uploads.end(item, f"{name} could not be uploaded: {(error.strerror or str(error)).lower()}.")
        else:
            panel.uploads.take(item, file.value)
        finally:
            waiting.cancel()  # Another file was named for the input, or the program ends.


class Upload:
    """The upload of one file, on the service's loop.

    Args:
        path: The file.
        mask_of: The picture of the server that the file is a mask for, as an input names it; empty if it is none.
    """

    def __init__(self, path: Path, mask_of: str = "") -> None:
        self.path = path
        """The file."""
        self._mask_of = mask_of
        self._sent = self._total = 0

    async def run(self, backend: "Backend") -> "ServerFile":
        """Upload the file, and return where it is on the server."""
        if not self._mask_of:
            return await backend.upload(self.path, self.path.name, self._report)
        from comfytui.comfy.protocol.library import server_file
        from comfytui.service.mask_files import FOLDER, masked_name, read_mask

        picture, mask = server_file(self._mask_of), await asyncio.to_thread(read_mask, self.path)
        name = masked_name(picture.name)
        return await backend.upload(mask, name, self._report, subfolder=FOLDER, mask_of=picture)

    @property
    def progress(self) -> str:
        """How much of the file was sent, or an empty text while that is not known."""
        return f"{100 * self._sent // self._total} % " if self._total else ""

    def _report(self, sent: int, total: int) -> None:
        self._sent, self._total = sent, total
