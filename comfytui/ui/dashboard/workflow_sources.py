"""The lists of workflows that can be opened: files, those of the server, and those of jobs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from comfytui.comfy.protocol.library import LIBRARY_LIMIT, SavedWorkflow, Template, TemplateGroup
from comfytui.sanitize import sanitize
from comfytui.session.model import Batch, Job
from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.dashboard.open_workflows import OpenWorkflow
from comfytui.ui.folders import current_folder
from comfytui.ui.widgets.entry_search import Entry, EntryGroup
from comfytui.workflow.documents import WorkflowDocument, document_from_json, load_document
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.graph import Workflow
from comfytui.workflow.unconverted import workflow_to_open

OPEN, FILES, SAVED, TEMPLATES, JOBS = "Open", "Files", "Saved", "Templates", "Jobs"
BROWSE = "Browse the folders…"
MAX_JOBS: Final = 200
"""Batches and jobs of others whose workflows are listed."""
MAX_NAME: Final = 60
"""Characters of the name of a workflow that is named after a prompt."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a workflow is, and how it is read."""

    read: Callable[[], Awaitable[Workflow]]
    """Raises a WorkflowError or a ComfyError."""
    about: str = ""
    """What is known about it."""
    path: str = ""
    """That of a file."""


@dataclass(frozen=True, slots=True)
class Browse:
    """Choosing a file in the folders of this machine."""

    folder: Path
    """The folder to begin with."""


Target: TypeAlias = OpenWorkflow | Source | Browse
"""What an entry of the list stands for."""


def entry_of(title: str, target: Target, detail: str = "") -> Entry[Target]:
    """Return an entry of the list."""
    return Entry(title, target, detail)


def open_group(entries: Sequence[OpenWorkflow], shown: OpenWorkflow) -> EntryGroup[Target]:
    """Return the workflows that are open, the others before the one that is shown."""
    others = [entry_of(each.workflow.name, each) for each in entries if each is not shown]
    return EntryGroup(OPEN, [*others, entry_of(shown.workflow.name, shown, "shown now")])


def file_source(context: DashboardContext, path: Path) -> Source:
    """Return a file as a source."""

    async def read() -> Workflow:
        return await _opened(await asyncio.to_thread(load_document, path), context)

    return Source(read, sanitize(str(path)), str(path.absolute()))


def files_group(context: DashboardContext, recent: Sequence[str], *, loading: bool = False) -> EntryGroup[Target]:
    """Return the way to the folders, and the files that were opened last."""
    browse = entry_of(BROWSE, Browse(Path(recent[0]).parent if recent else current_folder()))
    entries = [entry_of(Path(path).name, file_source(context, Path(path)), str(Path(path).parent)) for path in recent]
    return EntryGroup(FILES, [browse, *entries], loading=loading)


def jobs_group(context: DashboardContext) -> EntryGroup[Target]:
    """Return the workflows of my batches and of all other jobs on the screen, the newest first."""
    state = context.state
    mine = {prompt_id for batch in state.batches.values() for prompt_id in batch.prompt_ids}
    jobs = [
        *((batch.created, _batch_entry(context, batch)) for batch in state.batches.values()),
        *(
            (job.created or job.ended or 0, _job_entry(context, job))
            for job in state.jobs.values()
            if job.prompt_id not in mine
        ),
    ]
    newest = sorted(jobs, key=lambda each: each[0], reverse=True)[:MAX_JOBS]
    return EntryGroup(JOBS, [entry for _, entry in newest])


def _batch_entry(context: DashboardContext, batch: Batch) -> Entry[Target]:
    about = f"{batch.total} images" if batch.total > 1 else "1 image"
    return entry_of(batch.title or batch.id, _job_source(context, batch.prompt_ids, batch.title, about), "job")


def _job_entry(context: DashboardContext, job: Job) -> Entry[Target]:
    title = job.parameters.prompt
    about = f"Job {job.prompt_id} of another user, {job.status.label}"
    return entry_of(title or job.prompt_id, _job_source(context, [job.prompt_id], title, about), "another user's job")


def _job_source(context: DashboardContext, prompt_ids: Sequence[str], title: str, about: str) -> Source:
    async def read() -> Workflow:
        for prompt_id in prompt_ids[:1]:
            if graph := await asyncio.wrap_future(context.service.graph_of(prompt_id)):
                document = WorkflowDocument(sanitize(title, MAX_NAME) or "job", graph, is_sent=True)
                return await _opened(document, context)
        raise WorkflowError("Neither comfytui nor the server has the workflow of this job any more.")

    return Source(read, about)


async def _opened(document: WorkflowDocument, context: DashboardContext) -> Workflow:
    # Imported late: the first paint does not need it.
    from comfytui.workflow.prompt_text.literal import open_document

    return await asyncio.to_thread(open_document, document, context.options.wildcards)


async def saved_group(context: DashboardContext) -> EntryGroup[Target]:
    """Return the workflows that the editor saved on the server; raises a ComfyError."""
    saved = await asyncio.wrap_future(context.service.call(lambda backend: backend.saved_workflows()))
    if saved is None:
        return EntryGroup(SAVED, note="This server keeps no workflows of its users.")
    entries = [entry_of(each.path.removesuffix(".json"), _saved_source(context, each), "saved") for each in saved]
    return EntryGroup(SAVED, entries, note=_cut_note(len(saved)))


def _saved_source(context: DashboardContext, saved: SavedWorkflow) -> Source:
    async def read() -> Workflow:
        answer = context.service.call(lambda backend: backend.saved_workflow(saved.path))
        return await _from_server(await asyncio.wrap_future(answer), Path(saved.path).stem)

    return Source(read, "" if saved.size is None else f"{saved.size / 1000:,.0f} kB")


async def template_group(context: DashboardContext) -> EntryGroup[Target]:
    """Return the server's templates in the order of their kinds; raises a ComfyError."""
    groups = await asyncio.wrap_future(context.service.call(lambda backend: backend.templates()))
    entries = [
        entry_of(each.title, _template_source(context, each), _kind(group, each))
        for group in groups
        for each in group.templates
    ]
    notes = [f"Not all could be read. {group.title}: {group.problem}" for group in groups if group.problem]
    own = sum(not each.pack for group in groups for each in group.templates)
    notes.append(_cut_note(max(own, len(entries) - own)))
    return EntryGroup(TEMPLATES, entries, note=" ".join(filter(None, notes)))


def _cut_note(count: int) -> str:
    """Return that no more are read than are listed, if so many are."""
    return f"No more than the first {LIBRARY_LIMIT:,} are listed." if count >= LIBRARY_LIMIT else ""


def _kind(group: TemplateGroup, template: Template) -> str:
    return f"{group.title}, paid" if template.is_paid else group.title


def _template_source(context: DashboardContext, template: Template) -> Source:
    async def read() -> Workflow:
        answer = context.service.call(lambda backend: backend.template(template))
        return await _from_server(await asyncio.wrap_future(answer), template.title)

    paid = "Its nodes send everything to a paid service." if template.is_paid else ""
    models = f"Models: {', '.join(template.models)}" if template.models else ""
    return Source(read, "\n".join(filter(None, (paid, template.description, models))))


async def _from_server(document: Any, name: str) -> Workflow:
    name = sanitize(name, MAX_NAME) or "workflow"
    if document is None:
        raise WorkflowError(f"The server no longer has '{name}'.")
    read = partial(document_from_json, document, name, f"'{name}'")
    return workflow_to_open(await asyncio.to_thread(read))
