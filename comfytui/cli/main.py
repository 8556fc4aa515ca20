"""The command line: `comfytui [SERVER]`, `comfytui demo`, `comfytui sim`."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TypeVar

import click

from comfytui import __version__
from comfytui.cli import terminal_checks
from comfytui.sanitize import sanitize
from comfytui.ui.options import NoDemoError

Command = TypeVar("Command", bound=Callable[..., Any])

HELP = {"help_option_names": ["-h", "--help"]}
NOT_YET = frozenset({"run", "watch", "relay", "doctor"})
NO_AIOHTTP = "The simulated server needs aiohttp: run pip install '.[demo]' in your clone of comfytui."


def main(argv: list[str] | None = None) -> None:
    """Run one command; a first word that is no command is a server."""
    args = sys.argv[1:] if argv is None else argv
    word = args[0] if args else ""
    _log_aside()
    if word in COMMANDS:
        COMMANDS[word].main(args[1:], prog_name=f"comfytui {word}")
    else:
        open_.main(args, prog_name="comfytui")


def _screen_options(command: Command) -> Command:
    """The options of every command that opens the dashboard."""
    for option in reversed(
        (
            click.option("--workflow", metavar="FILE", help="A workflow in API format, or a PNG by ComfyUI."),
            click.option(
                "--output", metavar="FOLDER", type=click.Path(path_type=Path), help="Folder to save images in."
            ),
            click.option("--no-previews", is_flag=True, help="Neither show nor request live previews."),
            click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII characters only."),
            click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal."),
        )
    ):
        command = option(command)
    return command


@click.command(
    context_settings=HELP,
    epilog="Other commands: comfytui demo (a simulated server, no GPU needed), comfytui sim (just that server).",
)
@click.argument("server", required=False)
@click.option(
    "--header", "headers", metavar="'Name: value'", multiple=True, help="Send this with every request; repeatable."
)
@click.option("--ca", metavar="FILE", type=click.Path(path_type=Path), help="Certificates to trust (PEM).")
@click.option("--cert", metavar="FILE", type=click.Path(path_type=Path), help="Client certificate with its key (PEM).")
@click.option("--insecure", is_flag=True, help="Do not check the server's certificate.")
@click.option("--fresh", is_flag=True, help="Take nothing over from earlier starts.")
@click.option(
    "--config", "file", metavar="FILE", type=click.Path(path_type=Path), help="Config file with named servers (TOML)."
)
@_screen_options
@click.version_option(__version__, prog_name="comfytui")
def open_(
    server: str | None,
    headers: tuple[str, ...],
    ca: Path | None,
    cert: Path | None,
    insecure: bool,
    file: Path | None,
    fresh: bool,
    **screen: Any,
) -> None:
    """Open the dashboard of SERVER, a URL such as http://gpu-box:8188 or a name from the config file.

    Without SERVER: the last one used, else the default of the config file, else a ComfyUI on this machine.
    """
    from comfytui.cli.startup_server import first_that_answers, remember_server, wanted
    from comfytui.comfy.server import BadServer, Server, ServerOptions, parse_header
    from comfytui.config.config import Config, read_config
    from comfytui.service.journal.paths import state_folder

    if server in COMMANDS:
        raise click.UsageError(f"'{server}' is a command: put it first, as in comfytui {server} --help.")
    if server in NOT_YET:
        raise click.UsageError(f"'{server}' is reserved for a later command, so it cannot be a server.")
    config, note = Config(), ""
    try:
        config = read_config(file)
        ways = ServerOptions(headers=[parse_header(header) for header in headers], ca=ca, cert=cert, insecure=insecure)
        if config.warning:
            click.echo(config.warning, err=True)
        if server is not None:
            chosen: Server | None = config.resolve(server, **ways)
        else:
            try:
                chosen = asyncio.run(first_that_answers(config, **ways))
            except BadServer as error:
                if not config.servers:
                    raise
                chosen, note = None, str(error)  # The start screen has the others.
    except BadServer as error:
        raise click.UsageError(f"{error} {config.suggestion(server or '')}".rstrip()) from None
    _open_app(
        chosen,
        server_of=config.resolve,
        remember=remember_server,
        last="" if server else wanted(config),
        note=note,
        typed=server or "",
        suggest=config.suggestion,
        named=config.summaries(),
        command=("comfytui", "--config", str(file)) if file else ("comfytui",),
        journal=state_folder(),
        fresh=fresh,
        **screen,
    )


@click.command(context_settings=HELP)
@click.option(
    "--steps-per-second", type=click.FloatRange(0, 1000), default=4.0, show_default=True, help="Sampling speed."
)
@click.option(
    "--foreign", type=click.IntRange(0, 20), default=1, show_default=True, help="Number of other users who queue jobs."
)
@_screen_options
def demo(steps_per_second: float, foreign: int, **screen: Any) -> None:
    """Open the dashboard of a simulated server, without a GPU; nothing is kept afterwards."""
    from comfytui.comfy.server import Server

    try:
        with _demo_server(steps_per_second, foreign) as url:
            _open_app(Server.from_url(url), remember=lambda _: None, command=(), **screen)
    except NoDemoError as error:
        raise click.ClickException(str(error)) from None


@click.command(context_settings=HELP)
@click.option("--port", type=click.IntRange(0, 65535), default=8188, show_default=True, help="0 picks a free one.")
@click.option(
    "--steps-per-second", type=click.FloatRange(0, 1000), default=4.0, show_default=True, help="Sampling speed."
)
@click.option(
    "--load-seconds", type=click.FloatRange(0, 600), default=2.0, show_default=True, help="Time to load a model."
)
@click.option("--fail-step", type=click.IntRange(1), help="Fail after this step, as if out of memory.")
@click.option(
    "--foreign", type=click.IntRange(0, 20), default=0, show_default=True, help="Number of other users who queue jobs."
)
@click.option(
    "--like", metavar="VERSION", default="0.33.0", show_default=True, help="Behave like this version of ComfyUI."
)
def sim(
    port: int, steps_per_second: float, load_seconds: float, fail_step: int | None, foreign: int, like: str
) -> None:
    """Run only the simulated server, on 127.0.0.1."""
    try:
        from comfytui.sim.capabilities import BadVersionError, capabilities_of
        from comfytui.sim.config import SimConfig
        from comfytui.sim.server import serve
    except ImportError:
        raise click.ClickException(NO_AIOHTTP) from None
    try:
        capabilities_of(like)
    except BadVersionError as error:
        raise click.UsageError(str(error)) from None
    config = SimConfig(steps_per_second, load_seconds, fail_step, foreign_clients=foreign, like=like)
    with suppress(KeyboardInterrupt):
        try:
            asyncio.run(
                serve(config, "127.0.0.1", port, lambda url: click.echo(f"A simulated ComfyUI answers at {url}"))
            )
        except OSError as error:
            raise click.ClickException(f"Port {port} is not free ({error.strerror}): choose another --port.") from None


COMMANDS = {"demo": demo, "sim": sim}


@contextmanager
def _demo_server(steps_per_second: float = 4.0, foreign: int = 1) -> Iterator[str]:
    """The URL of a simulated server that lives as long as the context."""
    try:
        import aiohttp  # noqa: F401  (the server runs in a process of its own: its absence is told here)

        from comfytui.sim.config import SimConfig
        from comfytui.sim.demo import EmbeddedServer
    except ImportError:
        raise NoDemoError(NO_AIOHTTP) from None
    embedded = EmbeddedServer(SimConfig(steps_per_second=steps_per_second, foreign_clients=foreign))
    try:
        embedded.__enter__()
    except RuntimeError as error:
        raise NoDemoError(str(error)) from None
    with ExitStack() as stack:
        stack.push(embedded)
        yield embedded.url


def _open_app(
    server: Any,
    *,
    workflow: str | None,
    output: Path | None,
    no_previews: bool,
    ascii_only: bool,
    no_mouse: bool,
    journal: Path | None = None,
    **opened: Any,
) -> None:
    """Run the dashboard of a server, or the start screen without one; `opened` are further fields of `Options`."""
    from platformdirs import user_downloads_path

    from comfytui.workflow.builtin import txt2img
    from comfytui.workflow.loading import WorkflowError, load_workflow

    try:
        chosen = txt2img() if workflow is None else load_workflow(Path(workflow))
    except WorkflowError as error:
        raise click.UsageError(str(error)) from None
    if output and output.exists() and not output.is_dir():
        raise click.UsageError(f"{sanitize(str(output), 200)} is not a folder: choose another one with --output.")
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        raise click.UsageError("comfytui needs a terminal: run it without redirecting its input or standard error.")
    if not terminal_checks.is_ours():
        raise click.UsageError("comfytui is in the background of this terminal: run it in the foreground.")
    # What is made until the first paint stays: nothing to be gained from looking through it again and again.
    gc.disable()
    from comfytui.service.journal.paths import state_folder
    from comfytui.ui.app import ComfyApp
    from comfytui.ui.drafts import Drafts
    from comfytui.ui.options import Options
    from comfytui.ui.terminal.shutdown import Shutdown
    from comfytui.ui.themes import KeptTheme

    options = Options(
        workflow=chosen,
        output=output or user_downloads_path(),
        previews=not no_previews,
        ascii=ascii_only or not terminal_checks.takes_unicode(),
        demo=_demo_server,
        journal=journal,
        drafts=Drafts(journal),
        theme=KeptTheme(state_folder()),
        **opened,
    )
    app = ComfyApp(options, server)
    with Shutdown(app.leave, app.at_end):
        app.run(mouse=not no_mouse)
        # Not after a SIGHUP: nobody is there.
        if app.farewell and app.return_code != 128 + signal.SIGHUP:
            with suppress(OSError):
                click.echo(app.farewell, err=True)
    if app.stuck:
        # A look-up of a name that hangs in the service's thread would hold up the end for as long as it takes.
        sys.stderr.flush()
        os._exit(app.return_code or 0)
    if app.return_code:
        sys.exit(app.return_code)


class _PrivateLog(logging.FileHandler):
    """A log that only the user can read, unless the file was there before."""

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600))


def _log_aside() -> None:
    """Send the log to the file named by COMFYTUI_LOG, or nowhere: standard error is the screen."""
    name = os.environ.get("COMFYTUI_LOG")
    try:
        handler = _PrivateLog(name, encoding="utf-8") if name else logging.NullHandler()
    except OSError as error:
        raise SystemExit(f"COMFYTUI_LOG: {sanitize(name or '', 200)} cannot be written ({error.strerror}).") from None
    if name:
        from comfytui.comfy.redaction import LogFormatter

        handler.setFormatter(LogFormatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
