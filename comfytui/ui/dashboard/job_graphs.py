"""Find the graph of a job for an action, and say why it cannot be found."""

import asyncio

from comfytui.comfy.errors import ComfyError
from comfytui.session.model import Job
from comfytui.session.selectors import batch_of
from comfytui.ui.dashboard.context import DashboardContext
from comfytui.workflow.graph import Graph


async def graph_for(context: DashboardContext, job: Job, failure: str) -> Graph | None:
    """Return the graph of a job, or notify the user that there is none. Only in a worker.

    Args:
        context: What the dashboard shares.
        job: Any client's job.
        failure: What cannot be done without it, such as `This job cannot be made again`.
    """
    try:
        graph = await asyncio.wrap_future(context.service.graph_of(job.prompt_id))
    except ComfyError as error:
        context.notify(f"{failure}: its workflow is only on the server. {error}", "error")
        return None
    if graph is None:
        context.notify(f"{failure}: neither comfytui nor the server has its workflow.", "error")
    return graph


def title_of(context: DashboardContext, job: Job) -> str:
    """Return the prompt of a job, or else the title of its batch, which may be empty."""
    batch = batch_of(context.state, job)
    return job.parameters.prompt or (batch.title if batch else "")
