"""`comfytui sim`: run only the simulated server."""

import asyncio
from contextlib import suppress

import click

from comfytui.cli.dashboard import HELP
from comfytui.cli.demo import AIOHTTP_MISSING


@click.command(context_settings=HELP)
@click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(0, 65535),
    default=8188,
    show_default=True,
    help="Port to listen on; 0 picks a free one.",
)
@click.option(
    "--steps-per-second",
    metavar="RATE",
    type=click.FloatRange(0, 1000),
    default=4.0,
    show_default=True,
    help="Sampling speed.",
)
@click.option(
    "--load-seconds",
    metavar="SECONDS",
    type=click.FloatRange(0, 600),
    default=2.0,
    show_default=True,
    help="Time to load a model.",
)
@click.option("--fail-step", metavar="STEP", type=click.IntRange(1), help="Fail after this step, as if out of memory.")
@click.option(
    "--workers",
    metavar="COUNT",
    type=click.IntRange(1, 16),
    default=1,
    show_default=True,
    help="Number of prompts that run at once.",
)
@click.option(
    "--other-clients",
    metavar="COUNT",
    type=click.IntRange(0, 20),
    default=0,
    show_default=True,
    help="Number of other users who queue jobs.",
)
@click.option(
    "--like", metavar="VERSION", default="0.33.0", show_default=True, help="Behave like this version of ComfyUI."
)
def sim(
    port: int,
    steps_per_second: float,
    load_seconds: float,
    fail_step: int | None,
    workers: int,
    other_clients: int,
    like: str,
) -> None:
    """Run only the simulated server, on 127.0.0.1."""
    try:
        from comfytui.sim.capabilities import BadVersionError, capabilities_of
        from comfytui.sim.config import SimConfig
        from comfytui.sim.server import serve
    except ImportError:
        raise click.ClickException(AIOHTTP_MISSING) from None
    try:
        capabilities_of(like)
    except BadVersionError as error:
        raise click.UsageError(str(error)) from None
    config = SimConfig(
        steps_per_second, load_seconds, fail_step, workers=workers, other_clients=other_clients, like=like
    )
    with suppress(KeyboardInterrupt):
        try:
            asyncio.run(
                serve(config, "127.0.0.1", port, lambda url: click.echo(f"A simulated ComfyUI answers at {url}"))
            )
        except OSError as error:
            raise click.ClickException(f"Port {port} is not free ({error.strerror}): choose another --port.") from None
