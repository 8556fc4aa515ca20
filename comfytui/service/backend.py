"""What a session needs of its server, whatever dialect that speaks."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Set
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from comfytui.comfy.limits import VIEW_LIMIT
from comfytui.comfy.protocol.capabilities import Capabilities
from comfytui.comfy.protocol.events import Event, Output
from comfytui.comfy.protocol.models import (
    AcceptedPrompt,
    HistoryEntry,
    JobInfo,
    Json,
    Obstacle,
    Queue,
    QueueItem,
    SystemStats,
)
from comfytui.comfy.server import Server
from comfytui.comfy.websocket.connection_events import ConnectionEvent

if TYPE_CHECKING:
    from comfytui.comfy.protocol.library import LoraMetadata, SavedWorkflow, ServerFile, Template, TemplateGroup

T = TypeVar("T")


class Library(Protocol):
    """What a server offers to make prompts with. Each call raises a `ComfyError` if the server cannot be asked."""

    async def object_info(self, class_type: str) -> Mapping[str, Json]:
        """Return the definition of a node class, as `{class_type: definition}`; empty if the server has none."""

    async def definitions(self) -> Mapping[str, Mapping[str, Json]]:
        """Return the definitions of all node classes by class: megabytes, see `service.definitions`."""

    async def saved_workflows(self) -> "tuple[SavedWorkflow, ...] | None":
        """Return the workflows that the editor saved on the server; None if it keeps none of its users' files."""

    async def saved_workflow(self, path: str) -> Json:
        """Return a saved workflow, by its `SavedWorkflow.path`; None if the server no longer has it."""

    async def templates(self) -> "tuple[TemplateGroup, ...]":
        """Return the templates by kind, then those of packs of nodes by pack; empty where there are none.

        A group without templates says why some could not be read.
        """

    async def template(self, template: "Template") -> Json:
        """Return a template as the editor reads it; None if the server no longer has it."""

    async def model_folders(self) -> tuple[str, ...]:
        """Return the names of the folders of models; empty if the server does not list them."""

    async def model_names(self, folder: str) -> tuple[str, ...] | None:
        """Return the names of the models in a folder; None if the server has no such folder, or does not list it."""

    async def embeddings(self) -> tuple[str, ...]:
        """Return the names of the embeddings, as a prompt names them."""

    async def lora_metadata(self, name: str) -> "LoraMetadata | None":
        """Return what the file of a LoRA says about itself; None if it says nothing."""

    async def upload(
        self,
        source: Path | bytes,
        name: str,
        report: Callable[[int, int], object] = lambda _, __: None,
        *,
        subfolder: str = "",
        overwrite: bool = False,
        mask_of: "ServerFile | None" = None,
    ) -> "ServerFile":
        """Upload a file to the server's input folder; cancelling the call ends it.

        Args:
            source: The file, or its content.
            name: A name for it; the server may choose another one.
            report: Called with the bytes that were sent, and with those of the whole file.
            subfolder: The folder below the input folder.
            overwrite: Replace a file of the same name.
            mask_of: The image of which the alpha channel of the file is to be the mask.

        Returns:
            Where the file is now, and under which name.

        Raises:
            OSError: The file cannot be read.
            ServerError: The server does not take it; the message says why.
        """


class Backend(Library, Protocol):
    """One server. Each call raises a `ComfyError` if the server cannot be asked or does not do it.

    A call that needs one of the `Capabilities` says which; the others work on every server.
    """

    # Submit

    async def submit(
        self,
        graph: Mapping[str, Json],
        *,
        prompt_id: str,
        client_id: str,
        tag: Mapping[str, Json],
        preview_method: str | None = None,
    ) -> AcceptedPrompt:
        """Queue a prompt.

        Args:
            graph: The graph in ComfyUI's API format.
            prompt_id: The id to queue it under, a UUID; a server may assign another one.
            client_id: The client id that receives its events.
            tag: What to keep with the prompt, to recognise it by.
            preview_method: How the server is to make previews; None for its default.

        Raises:
            PromptRefused: The prompt does not pass validation.
            Unreachable: It certainly did not arrive. After other errors it may have.
        """

    # Cancel

    async def cancel(self, prompt_id: str, capabilities: Capabilities, *, force: bool = False) -> bool | Obstacle:
        """Cancel a prompt, pending or running.

        Args:
            prompt_id: The prompt.
            capabilities: What the server can do.
            force: Interrupt even where the server can only stop whatever runs.

        Returns:
            Whether the server had it, or why it was not interrupted.
        """

    async def remove(self, prompt_ids: Set[str]) -> Set[str]:
        """Remove prompts that are pending; return those that are gone, or have ended meanwhile."""

    async def interrupt(
        self, prompt_ids: Set[str], capabilities: Capabilities, *, force: bool = False
    ) -> tuple[int, Obstacle | None]:
        """Interrupt those of the prompts that are running; arguments as for `cancel`.

        Returns:
            How many were interrupted, and why others were not, if any.
        """

    # Events

    def events(
        self, client_id: str, report_lag: Callable[[float], None]
    ) -> AsyncGenerator[Event | ConnectionEvent, None]:
        """Connect as a client id, and yield what is received and how the connection fares; the last event is `Closed`.

        Args:
            client_id: The client id.
            report_lag: Called, while frames are received, with the seconds by which they are late.

        Raises:
            Unauthorized: The server requires a login.
            UpgradeRefused: It sends no events.
            NotComfyUI: Something else answers. No retry mends any of these.
        """

    # Poll

    async def capabilities(self, version: str) -> Capabilities:
        """Return what a server of this version can do."""

    async def system_stats(self) -> SystemStats:
        """Return the version of the server and the memory of its machine."""

    async def queue_count(self) -> int:
        """Return the number of prompts running and pending."""

    async def queue(self, keep: Callable[[QueueItem], T]) -> Queue[T]:
        """Return what `keep` makes of each prompt that is running or pending."""

    async def history(self, max_items: int, keep: Callable[[HistoryEntry], T | None]) -> tuple[T, ...]:
        """Return what `keep` makes of the newest entries of the history, the oldest of them first, except None."""

    async def history_entry(self, prompt_id: str) -> HistoryEntry | None:
        """Return the history entry of a prompt; None if it has not ended, or the server does not know it."""

    async def jobs(self, limit: int = 200, status: str | None = None) -> tuple[JobInfo, ...] | None:
        """Return the newest jobs without their graphs (`Capabilities.jobs`); None where there is no such list.

        Args:
            limit: How many jobs.
            status: Comma-separated statuses of the jobs to return; None for all.
        """

    async def job_graph(self, prompt_id: str) -> Json:
        """Return the graph of a job; None if the server has no list of jobs, or no such job in it."""

    async def log_timestamps(self) -> tuple[str, ...]:
        """Return when the newest lines of the server's log were written; none where it has no log."""

    # Fetch

    async def output_names(self) -> tuple[str, ...]:
        """Return the names of the files in the output folder itself, newest first; none where it is not listed."""

    async def view(self, output: Output, preview: str | None = None, limit: int = VIEW_LIMIT) -> bytes:
        """Return an output file.

        Args:
            output: The file.
            preview: The format and quality of a smaller version of an image, such as `webp;80`.
            limit: Most bytes of the file.
        """

    async def view_head(self, output: Output, size: int) -> bytes:
        """Return the first `size` bytes of an output file, or a few more."""

    async def download(self, output: Output, sink: Callable[[bytes], Awaitable[None]]) -> None:
        """Pass an output file to a sink as it arrives; if this raises, the sink may have received a part of it."""


BackendFactory = Callable[[Server], AbstractAsyncContextManager[Backend]]
"""Opens the backend of a server, until the context ends."""
