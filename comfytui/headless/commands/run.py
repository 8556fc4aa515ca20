"""`comfytui run`: submit a batch, and wait for it unless a signal or the clock ends that."""

import asyncio
import signal
import sys
from typing import Literal

from comfytui.comfy.server import Server
from comfytui.headless.commands.batch_run import BatchRun, RunOptions
from comfytui.headless.commands.interrupts import Interrupts, can_ask, caught_interrupts
from comfytui.headless.documents.jobs import End
from comfytui.headless.generate import GenerateRequest

QUESTION = "Detach (the jobs go on) or cancel them? [d/c] "

RunEnd = End | Literal["detached", "timed out"] | signal.Signals
"""How a run ended: as its batch did, or without waiting for that; the signal that ended it."""


async def run(server: Server, request: GenerateRequest, options: RunOptions) -> RunEnd:
    """Submit a batch, and write what becomes of it.

    Raises:
        ConnectError: There is no session with the server; nothing was submitted.
        FieldError: A value of the request cannot be used; nothing was submitted.
        WorkflowError: The server cannot run the workflow; nothing was submitted.
        BrokenPipeError: Nobody reads standard output any more; the jobs go on.
    """
    batch_run = BatchRun(server, request, options)
    with caught_interrupts() as interrupts:
        work = asyncio.create_task(batch_run.work())
        try:
            async with asyncio.timeout(options.timeout):
                return await _until_end(batch_run, work, interrupts)
        except TimeoutError:
            batch_run.close()
            silent = "The server did not answer within {:g} s: nothing was sent."
            batch_run.note(("Not done within {:g} s." if batch_run.is_submitted else silent).format(options.timeout))
            batch_run.explain_how_to_wait()
            return "timed out"
        finally:
            batch_run.close()
            work.cancel()
            await asyncio.wait({work})


async def _until_end(
    batch_run: BatchRun, work: "asyncio.Task[End | Literal['detached']]", interrupts: Interrupts
) -> RunEnd:
    """Wait for the end of the batch, or for a signal that ends the waiting."""
    cancelled = False
    while True:
        coming = asyncio.create_task(interrupts.next())
        await asyncio.wait({work, coming}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            coming.cancel()
            end = work.result()
            return signal.SIGINT if cancelled else end
        number = coming.result()
        if number is signal.SIGINT and batch_run.batch and not cancelled and can_ask():
            answer = await _ask(batch_run, interrupts)
            if isinstance(answer, bool) and batch_run.has_ended:
                continue
            if answer is True and await batch_run.cancel():
                cancelled = True
                continue
            if not isinstance(answer, bool):
                number = answer
        batch_run.close()
        batch_run.explain_how_to_wait()
        return number


async def _ask(batch_run: BatchRun, interrupts: Interrupts) -> bool | signal.Signals:
    """Ask whether to cancel the jobs; return the answer, or the signal that came instead."""
    batch_run.pause()
    try:
        sys.stderr.write(f"\n{QUESTION}")
        sys.stderr.flush()
        answer = await interrupts.answer()
        if isinstance(answer, signal.Signals):
            sys.stderr.write("\n")
    finally:
        batch_run.resume()
    return answer if isinstance(answer, signal.Signals) else answer.lower() in {"c", "cancel"}
