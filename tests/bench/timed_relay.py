"""A relay that records when each step is in its session's state: `python -m tests.bench.timed_relay URL CLIENTS`."""

import asyncio
import json
import sys
import time

from comfytui.comfy.server import Server
from comfytui.headless.relay.app import relay_app
from comfytui.headless.relay.options import RelayOptions
from comfytui.headless.relay.serving import serving
from comfytui.service.mailbox import Mailbox
from comfytui.service.notifications import SessionChanged
from comfytui.service.thread import ServiceThread
from tests.shown_run import step_of


async def serve(url: str, clients: int) -> None:
    """Serve until standard input is closed; print the port first, and then the monotonic seconds of the steps."""
    service = ServiceThread(Server.from_url(url))
    arrived: dict[int, float] = {}
    mailboxes: list[Mailbox] = []

    def take() -> None:
        now = time.monotonic()
        for notification in mailboxes[0].take() if mailboxes else ():
            if isinstance(notification, SessionChanged):
                arrived.setdefault(step_of(notification.state), now)

    mailboxes.append(service.subscribe(take))
    options = RelayOptions(port=0, clients=clients)
    async with serving(relay_app(service, options), options) as port:
        print(port, flush=True)
        await asyncio.to_thread(sys.stdin.read)
        print(json.dumps(arrived), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
