"""Connects a command to its server: a session that knows the queue, or a sentence why there is none."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from comfytui.comfy.errors import ComfyError, TimedOut, Unreachable
from comfytui.comfy.server import Server
from comfytui.headless.session import MIN_INTERVAL, HeadlessSession, is_current
from comfytui.sanitize import sanitize
from comfytui.service.journal.paths import state_folder
from comfytui.service.notifications import LoginRequired, Notification, NotReached
from comfytui.service.thread import ServiceThread
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState

FIRST_ANSWER = 10.0
"""Seconds that a server may take until its queue is known."""
REASON_LIMIT = 500
"""Characters of the reason why a server cannot be used."""


class ConnectError(Exception):
    """There is no session with the server; the message is one or two sentences for the user."""


class UnreachableError(ConnectError):
    """No ComfyUI answers."""


class RefusedError(ConnectError):
    """The server answers, and does not serve this user; or it is not the one that is known at this address."""


@asynccontextmanager
async def connected(
    server: Server,
    on_change: Callable[[SessionState], object] = lambda _: None,
    on_notification: Callable[[Notification], object] = lambda _: None,
    *,
    min_interval: float = MIN_INTERVAL,
    seconds: float = FIRST_ANSWER,
    observe: bool = False,
) -> AsyncIterator[HeadlessSession]:
    """Give a session with the server, once its queue is known, and which jobs in it are mine; it ends with the context.

    Args:
        server: The server.
        on_change: As for `HeadlessSession`; it is called before the queue is known, too.
        on_notification: As for `HeadlessSession`.
        min_interval: Seconds between two changes that are passed on, once the queue is known.
        seconds: How long to wait until the queue is known.
        observe: Only look, as `ServiceThread` has it.

    Raises:
        UnreachableError: No ComfyUI answers, or not in time.
        RefusedError: It requires other credentials, or is another server than before.
    """
    problems: list[ConnectError] = []

    def receive(notification: Notification) -> None:
        if problem := _problem(notification, server, service.state):
            problems.append(problem)
        on_notification(notification)

    def is_decided(state: SessionState) -> bool:
        return bool(problems) or is_current(state) or state.link.kind is LinkKind.OTHER_SERVER

    service = ServiceThread(server, folder=state_folder(), observe=observe)
    async with HeadlessSession(service, on_change, receive, min_interval=min_interval) as session:
        session.is_paced = False
        try:
            async with asyncio.timeout(seconds):
                await session.until(is_decided)
                if is_current(session.state):
                    await asyncio.wrap_future(service.recognised())
                    await session.until(_shows_mine)
        except TimeoutError:
            problems.append(UnreachableError(_silence(session.state, seconds)))
        if not is_current(session.state):
            raise problems[0] if problems else RefusedError(other_server_text(server))
        session.is_paced = True
        yield session


def request_error(error: ComfyError) -> ConnectError:
    """Return why a command cannot go on whose session has begun, if a request that it needs has failed."""
    kind = UnreachableError if isinstance(error, Unreachable | TimedOut) else ConnectError
    return kind(sanitize(str(error), REASON_LIMIT))


def _problem(notification: Notification, server: Server, state: SessionState) -> ConnectError | None:
    """Return why there is no session, if that is what a notification tells."""
    match notification:
        case NotReached(reason=reason):
            error = RefusedError if state.link.kind is LinkKind.UNAUTHORISED else UnreachableError
            return error(sanitize(reason, REASON_LIMIT))
        case LoginRequired(refused=refused):
            return RefusedError(login_required_text(server, refused=refused))
    return None


def _shows_mine(state: SessionState) -> bool:
    """Return whether each open job of my client ids is shown as mine: the queue was read since these are known."""
    return all(job.mine or job.status.ended or job.owner not in state.client_ids for job in state.jobs.values())


def _silence(state: SessionState, seconds: float) -> str:
    """Return what to say of a server that did not answer in time."""
    reason = sanitize(state.link.reason, REASON_LIMIT)
    return reason or f"The server did not answer within {seconds:.0f} s."


def login_required_text(server: Server, *, refused: bool) -> str:
    """Return what to say where the server requires credentials; `refused` if it got some."""
    what = "rejects the login" if refused else "asks for a login"
    return f"{sanitize(server.label, REASON_LIMIT)} {what}: give --header, or add the login to the config file."


def other_server_text(server: Server) -> str:
    """Return what to say where another server than the known one answers."""
    return (
        f"Another server than before answers at {sanitize(server.label, REASON_LIMIT)}: "
        "open the dashboard there once, to say that it is the right one."
    )
