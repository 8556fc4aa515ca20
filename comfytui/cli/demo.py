"""`comfytui demo`: open the dashboard of a simulated server."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import click

from comfytui.cli.dashboard import HELP, dashboard_options, run_dashboard

AIOHTTP_MISSING = "The simulated server needs aiohttp: run pip install '.[demo]' in your clone of comfytui."


@click.command(context_settings=HELP)
@click.option(
    "--steps-per-second", type=click.FloatRange(0, 1000), default=4.0, show_default=True, help="Sampling speed."
)
@click.option(
    "--other-clients",
    type=click.IntRange(0, 20),
    default=1,
    show_default=True,
    help="Number of other users who queue jobs.",
)
@dashboard_options
def demo(steps_per_second: float, other_clients: int, **dashboard: Any) -> None:
    """Open the dashboard of a simulated server, without a GPU; nothing is kept afterwards."""
    from comfytui.comfy.server import Server
    from comfytui.ui.options import NoDemoError

    try:
        with demo_server(steps_per_second, other_clients) as url:
            run_dashboard(
                Server.from_url(url), demo=demo_server, remember_server=lambda _: None, reopen_command=(), **dashboard
            )
    except NoDemoError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def demo_server(steps_per_second: float = 4.0, other_clients: int = 1) -> Iterator[str]:
    """Run a simulated server as long as the context lasts, and give its URL.

    Args:
        steps_per_second: The sampling speed.
        other_clients: How many other users queue jobs.

    Raises:
        NoDemoError: It cannot be started; the message says what to do.
    """
    from comfytui.ui.options import NoDemoError

    try:
        # The server runs in a process of its own, so a missing aiohttp has to be reported here.
        import aiohttp  # noqa: F401

        from comfytui.sim.config import SimConfig
        from comfytui.sim.demo import EmbeddedServer
    except ImportError:
        raise NoDemoError(AIOHTTP_MISSING) from None
    embedded = EmbeddedServer(SimConfig(steps_per_second=steps_per_second, other_clients=other_clients))
    try:
        embedded.__enter__()
    except RuntimeError as error:
        raise NoDemoError(str(error)) from None
    with ExitStack() as stack:
        stack.push(embedded)
        yield embedded.url
