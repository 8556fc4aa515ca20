"""Calls for what a server offers to make prompts with: workflows, templates, node definitions, models, uploads.

What reads the answers is imported late: the first paint does not need it.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from comfytui.comfy.errors import ComfyError, ServerError
from comfytui.comfy.http.api import NOT_FOUND, HttpApi, path_segment
from comfytui.comfy.limits import (
    DEFINITION_LIMIT,
    DEFINITION_VALUES,
    DEFINITIONS_LIMIT,
    FOLDER_LIMIT,
    FOLDER_VALUES,
    MIB,
    STATS_LIMIT,
    WORKFLOW_LIMIT,
    WORKFLOW_VALUES,
)
from comfytui.comfy.protocol.models import Json
from comfytui.comfy.protocol.parse import parse_object
from comfytui.sanitize import sanitize

if TYPE_CHECKING:
    from comfytui.comfy.http.multipart import Progress, UploadBody
    from comfytui.comfy.protocol.library import LoraMetadata, SavedWorkflow, ServerFile, Template, TemplateGroup

WORKFLOWS = "workflows"
"""The folder of a user's data that the editor saves workflows in."""
NO_FOLDER = b"Directory not found"
"""The response to a list of saved workflows before the first one is saved."""
TOO_LARGE = 413
FAILED = 500
"""The response to a mask that has not the size of its image."""
CHECKED_SIZE = MIB
"""Bytes of a file from which on the server's limit is read before it is sent."""


class ServerLibrary(HttpApi):
    """What one server offers; each call raises the errors of `comfytui.comfy.errors`."""

    async def saved_workflows(self) -> "tuple[SavedWorkflow, ...] | None":
        """Return the workflows that the editor saved on the server; None if it keeps none of its users' files."""
        from comfytui.comfy.protocol.parse_library import parse_saved_workflows

        params = {"dir": WORKFLOWS, "recurse": "true", "full_info": "true"}
        path = await self._find_prefix() + "/userdata"
        response = await self._transport.request("GET", path, params=params, limit=FOLDER_LIMIT)
        if response.status in NOT_FOUND or response.html:
            return () if response.body.strip() == NO_FOLDER else None
        return await self._parse_success(response, parse_saved_workflows, FOLDER_VALUES)

    async def saved_workflow(self, path: str) -> Json:
        """Return a saved workflow as it is; None if the server no longer has it.

        Args:
            path: Its `SavedWorkflow.path`.
        """
        segment = path_segment(f"{WORKFLOWS}/{path}")
        return await self._workflow(f"/userdata/{segment}")

    async def templates(self) -> "tuple[TemplateGroup, ...]":
        """Return the templates of ComfyUI itself by kind, then those of packs of nodes by pack; empty without any.

        One of them that cannot be read does not hide the other: then a group without templates says so.

        Raises:
            ComfyError: Nothing can be read.
        """
        from comfytui.comfy.protocol.library import TemplateGroup
        from comfytui.comfy.protocol.parse_library import parse_pack_templates, parse_template_index

        # The first are files of the editor, which have no `/api` before them.
        parts = await asyncio.gather(
            self._get_if_there("/templates/index.json", parse_template_index, limit=FOLDER_LIMIT, with_prefix=False),
            self._get_if_there("/workflow_templates", parse_pack_templates),
            return_exceptions=True,
        )
        found = list[TemplateGroup]()
        for title, part in zip(("ComfyUI", "Packs of nodes"), parts, strict=True):
            if isinstance(part, ComfyError):
                found.append(TemplateGroup(title, (), str(part)))
            elif isinstance(part, BaseException):
                raise part
            else:
                found.extend(part or ())
        errors = [part for part in parts if isinstance(part, ComfyError)]
        if errors and not any(group.templates for group in found):
            raise errors[0]
        return tuple(found)

    async def template(self, template: "Template") -> Json:
        """Return a template as it is; None if the server no longer has it."""
        name = f"{path_segment(template.name)}.json"
        if template.pack:
            return await self._workflow(
                f"/api/workflow_templates/{path_segment(template.pack)}/{name}", with_prefix=False
            )
        return await self._workflow(f"/templates/{name}", with_prefix=False)

    async def _workflow(self, path: str, *, with_prefix: bool = True) -> Json:
        return await self._get_if_there(
            path, lambda body: body, limit=WORKFLOW_LIMIT, max_values=WORKFLOW_VALUES, with_prefix=with_prefix
        )

    async def object_info(self, class_type: str) -> Mapping[str, Json]:
        """Return the definition of a node class, as `{class_type: definition}`; empty if the server has none."""
        path = f"/object_info/{path_segment(class_type)}"
        return await self._get(path, parse_object, missing={}, limit=DEFINITION_LIMIT, max_values=DEFINITION_VALUES)

    async def definitions(self) -> Mapping[str, Mapping[str, Json]]:
        """Return the definitions of all node classes: 2 MB and more, so that their number and size is limited."""
        from comfytui.comfy.protocol.definitions_json import DefinitionsReader

        reader = DefinitionsReader()
        await self._get_in_pieces("/object_info", reader, DEFINITIONS_LIMIT)
        with self._translated_errors():
            return reader.definitions()

    async def model_names(self, folder: str) -> tuple[str, ...] | None:
        """Return the names of the models in a folder; None if the server has no such folder, or does not list it.

        Args:
            folder: Its name, such as `loras`.
        """
        from comfytui.comfy.protocol.parse_library import parse_model_names

        path = f"/models/{path_segment(folder)}"
        return await self._get_if_there(path, parse_model_names, limit=FOLDER_LIMIT, max_values=FOLDER_VALUES)

    async def model_folders(self) -> tuple[str, ...]:
        """Return the names of the folders of models; empty on servers before September 2024."""
        from comfytui.comfy.protocol.parse_library import parse_model_names

        return await self._get_if_there("/models", parse_model_names) or ()

    async def embeddings(self) -> tuple[str, ...]:
        """Return the names of the embeddings, without extensions, as a prompt names them."""
        from comfytui.comfy.protocol.parse_library import parse_model_names

        return await self._get_if_there("/embeddings", parse_model_names, limit=FOLDER_LIMIT) or ()

    async def lora_metadata(self, name: str) -> "LoraMetadata | None":
        """Return what the file of a LoRA says about itself; None if it says nothing.

        Args:
            name: Its name as in `model_names("loras")`.
        """
        from comfytui.comfy.protocol.parse_library import parse_lora_metadata

        # The server answers with a 404 for files of other formats and without metadata.
        return await self._get_if_there("/view_metadata/loras", parse_lora_metadata, {"filename": name})

    async def upload(
        self,
        source: Path | bytes,
        name: str,
        report: "Progress" = lambda _, __: None,
        *,
        subfolder: str = "",
        overwrite: bool = False,
        mask_of: "ServerFile | None" = None,
    ) -> "ServerFile":
        """Upload a file to the server's input folder; cancelling the call ends it.

        Args:
            source: The file, or its content.
            name: A name for it; the server appends a number if it has another file of that name.
            report: Called with the bytes that were sent, and with those of the whole file.
            subfolder: The folder below the input folder.
            overwrite: Replace a file of the same name.
            mask_of: The image of which the alpha channel of the file is to be the mask; then it stays in that image.

        Returns:
            Where the file is now, and under which name.

        Raises:
            OSError: The file cannot be read.
            ServerError: The server or a proxy does not take it; the message says why. Of a mask, also that the server
                has no such image, or that their sizes differ.
        """
        from comfytui.comfy.http.multipart import UploadBody, upload_name
        from comfytui.comfy.protocol.parse_library import parse_uploaded

        fields = {"type": "input", "subfolder": subfolder, "overwrite": str(overwrite).lower()}
        if mask_of is not None:
            fields["original_ref"] = mask_of.reference
        body = await asyncio.to_thread(UploadBody, source, upload_name(name), fields, report)
        await self._check_upload_size(body)
        path = f"{await self._find_prefix()}/upload/{'mask' if mask_of else 'image'}"
        try:
            response = await self._transport.request("POST", path, upload=body, is_file=True, limit=STATS_LIMIT)
        except ServerError as error:
            if error.status is None and body.sent < body.size:
                raise self._broken_off(body) from None
            if error.status == FAILED and mask_of is not None:
                raise self._mask_failed(mask_of) from None
            raise
        if response.status == TOO_LARGE:
            raise self._too_large(body)
        if response.status == 400:
            raise ServerError(f"{self._server.label} does not take a file named {sanitize(name, 100)}: rename it.", 400)
        file = await self._parse_success(response, parse_uploaded)
        if mask_of is not None:
            await self._check_masked(file, mask_of)
        return file

    async def _check_masked(self, file: "ServerFile", mask_of: "ServerFile") -> None:
        """Raise ServerError if there is no such file: the response is the same where the mask's image is missing."""
        params = {"filename": file.name, "subfolder": file.subfolder, "type": file.folder}
        path = await self._find_prefix() + "/view"
        response = await self._transport.request("HEAD", path, params=params, limit=STATS_LIMIT)
        if response.status == 404:
            name = sanitize(mask_of.value, 100)
            raise ServerError(
                f"{self._server.label} has no picture {name}, so the mask was not kept: upload the picture first.", 404
            )

    def _mask_failed(self, mask_of: "ServerFile") -> ServerError:
        name = sanitize(mask_of.value, 100)
        return ServerError(
            f"{self._server.label} could not put the mask into {name}: make it of the same size as the picture.", FAILED
        )

    async def _check_upload_size(self, body: "UploadBody") -> None:
        """Raise ServerError if the server says that it takes no file of this size."""
        from comfytui.comfy.protocol.parse_library import parse_upload_limit

        if body.size < CHECKED_SIZE:
            return
        limit = await self._get_if_there("/features", parse_upload_limit)
        if limit is not None and body.size >= limit:
            raise self._too_large(body, f": its limit is {_megabytes(limit)}")

    def _too_large(self, body: "UploadBody", limit: str = "") -> ServerError:
        return ServerError(
            f"{self._server.label} takes no file of {_megabytes(body.size)}{limit}. "
            "Make it smaller, or raise the limit (ComfyUI's --max-upload-size, or that of the proxy in front of it).",
            TOO_LARGE,
        )

    def _broken_off(self, body: "UploadBody") -> ServerError:
        return ServerError(
            f"{self._server.label} closed the connection after {_megabytes(body.sent)} of {_megabytes(body.size)}: "
            "it, or a proxy in front of it, may take no file of this size. Make it smaller, or try again."
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
