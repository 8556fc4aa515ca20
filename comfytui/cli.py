"""The command line: `comfytui [SERVER]`, `comfytui demo`, `comfytui sim`."""

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import click

from comfytui import __version__
from comfytui.plain import plain
from comfytui.ui.options import NoDemoError

Command = TypeVar("Command", bound=Callable[..., Any])

NOT_YET = frozenset({"run", "watch", "relay", "doctor"})
NO_AIOHTTP = "The simulated server needs aiohttp: pip install 'comfytui[demo]'"
FIRST_ANSWER_SECONDS = 3.0
"""Patience with each server that might be the one, while the terminal shows nothing yet."""
DEFAULT_SERVERS = ("http://127.0.0.1:8188", "http://127.0.0.1:8000")


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
            click.option("--workflow", metavar="FILE", help="A graph in API format, or a PNG by ComfyUI."),
            click.option("--output", metavar="FOLDER", type=click.Path(path_type=Path), help="Where s saves pictures."),
            click.option("--no-previews", is_flag=True, help="No previews, neither shown nor asked for."),
            click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII only."),
            click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal."),
        )
    ):
        command = option(command)
    return command


@click.command(
    epilog="Other commands: comfytui demo (a simulated server, no GPU needed), comfytui sim (only that server)."
)
@click.argument("server", required=False)
@click.option(
    "--header", "headers", metavar="'Name: value'", multiple=True, help="Sent with every request; repeatable."
)
@click.option("--ca", metavar="FILE", type=click.Path(path_type=Path), help="Certificates to trust.")
@click.option("--cert", metavar="FILE", type=click.Path(path_type=Path), help="Client certificate with its key (PEM).")
@click.option("--insecure", is_flag=True, help="Do not check the server's certificate.")
@_screen_options
@click.version_option(__version__, prog_name="comfytui")
def open_(
    server: str | None, headers: tuple[str, ...], ca: Path | None, cert: Path | None, insecure: bool, **screen: Any
) -> None:
    """Open the dashboard of SERVER, a URL such as http://box:8188.

    Without SERVER: the one of last time, else a ComfyUI on this machine.
    """
    from comfytui.comfy.server import BadServer, Server, parse_header

    if server in COMMANDS:
        raise click.UsageError(f"'{server}' is a command: write it first, as in comfytui {server} --help.")
    if server in NOT_YET:
        raise click.UsageError(f"'{server}' is not a server, and there is no such command yet.")
    try:
        ways_in = [parse_header(header) for header in headers]
        if server is not None:
            given = Server.from_url(server, headers=ways_in, ca=ca, cert=cert, insecure=insecure)
            _open_app(given, _remember_server, **screen)
            return
        last = _last_server()
        candidates = [Server.from_url(url) for url in DEFAULT_SERVERS]
        if last:
            # What lets us in there is for nobody else.
            candidates.insert(0, Server.from_url(last, headers=ways_in, ca=ca, cert=cert, insecure=insecure))
    except BadServer as error:
        raise click.UsageError(str(error)) from None
    _open_app(asyncio.run(_first_that_answers(candidates, last)), _remember_server, last, **screen)


@click.command()
@click.option("--steps-per-second", type=click.FloatRange(0, 1000), default=4.0, show_default=True)
@click.option("--foreign", type=click.IntRange(0, 20), default=1, show_default=True, help="Other users with jobs.")
@_screen_options
def demo(steps_per_second: float, foreign: int, **screen: Any) -> None:
    """Open the dashboard of a simulated server; nothing to install, nothing left behind."""
    from comfytui.comfy.server import Server

    try:
        with _demo_server(steps_per_second, foreign) as url:
            _open_app(Server.from_url(url), lambda _: None, **screen)
    except NoDemoError as error:
        raise click.ClickException(str(error)) from None


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8188, show_default=True, help="0 takes a free one.")
@click.option("--steps-per-second", type=click.FloatRange(0, 1000), default=4.0, show_default=True)
@click.option("--load-seconds", type=click.FloatRange(0, 600), default=2.0, show_default=True)
@click.option("--fail-step", type=click.IntRange(1), help="Samplers run out of memory after this step.")
@click.option("--foreign", type=click.IntRange(0, 20), default=0, show_default=True, help="Other users with jobs.")
def sim(port: int, steps_per_second: float, load_seconds: float, fail_step: int | None, foreign: int) -> None:
    """Run only the simulated server, on 127.0.0.1."""
    try:
        from comfytui.sim.config import SimConfig
        from comfytui.sim.server import serve
    except ImportError:
        raise click.ClickException(NO_AIOHTTP) from None
    config = SimConfig(
        steps_per_second=steps_per_second, load_seconds=load_seconds, fail_step=fail_step, foreign_clients=foreign
    )
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
    remember: Callable[[str], None],
    last: str = "",
    *,
    workflow: str | None,
    output: Path | None,
    no_previews: bool,
    ascii_only: bool,
    no_mouse: bool,
) -> None:
    from platformdirs import user_downloads_path

    from comfytui.workflow.load import WorkflowError, load_workflow
    from comfytui.workflow.txt2img import txt2img

    try:
        chosen = txt2img() if workflow is None else load_workflow(Path(workflow))
    except WorkflowError as error:
        raise click.UsageError(str(error)) from None
    if output and output.exists() and not output.is_dir():
        raise click.UsageError(f"{plain(str(output), 200)} is not a folder: choose another one with --output.")
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        raise click.UsageError("comfytui needs a terminal: run it without redirecting its input or errors.")
    # What is made until the first paint stays: nothing to be gained from looking through it again and again.
    gc.disable()
    from comfytui.ui.app import ComfyApp
    from comfytui.ui.ending import Ending
    from comfytui.ui.options import Options

    options = Options(
        workflow=chosen,
        output=output or user_downloads_path(),
        previews=not no_previews,
        ascii=ascii_only or not _terminal_takes_unicode(),
        demo=_demo_server,
        remember=remember,
        last=last,
    )
    app = ComfyApp(options, server)
    with Ending(app.leave, app.at_end):
        app.run(mouse=not no_mouse)
    if app.stuck:
        # A look-up of a name that hangs in the service's thread would hold up the end for as long as it takes.
        sys.stderr.flush()
        os._exit(app.return_code or 0)
    if app.return_code:
        sys.exit(app.return_code)


async def _first_that_answers(candidates: list[Any], last: str) -> Any:
    """The first server that is a ComfyUI, or None; the one of last time is, also while it only lets us wait."""
    from comfytui.comfy.client import ComfyClient
    from comfytui.comfy.errors import ComfyError, Unauthorized

    for server in candidates:
        async with ComfyClient(server) as client:
            try:
                async with asyncio.timeout(FIRST_ANSWER_SECONDS):
                    await client.system_stats()
            except Unauthorized:
                pass  # It is one, and its screen says what it wants.
            except TimeoutError:
                if not last or server is not candidates[0]:
                    continue
            except ComfyError:
                continue
            return server
    return None


def _terminal_takes_unicode() -> bool:
    """By the locale that the user states; Python itself takes the C locale for UTF-8."""
    if os.environ.get("LC_ALL") in {"C", "POSIX"}:
        return False
    return (sys.stderr.encoding or "ascii").lower().replace("-", "") in {"utf8", "utf16", "utf32"}


def _last_server_file() -> Path:
    from platformdirs import user_state_path

    return user_state_path("comfytui") / "last_server"


def _last_server() -> str:
    """The address of last time, or nothing."""
    from comfytui.comfy.server import Server

    with suppress(OSError, ValueError):
        last = _last_server_file().read_text(encoding="utf-8").strip()
        Server.from_url(last)
        return last
    return ""


def _remember_server(shown: str) -> None:
    """Keep the address without its secrets; a state folder that cannot be written costs nothing but this comfort."""
    with suppress(OSError):
        file = _last_server_file()
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = file.with_suffix(".new")
        new.write_text(shown + "\n", encoding="utf-8")
        new.replace(file)


def _log_aside() -> None:
    """Send the log to the file named by COMFYTUI_LOG, or nowhere: standard error is the screen."""
    name = os.environ.get("COMFYTUI_LOG")
    try:
        handler = logging.FileHandler(name, encoding="utf-8") if name else logging.NullHandler()
    except OSError as error:
        raise SystemExit(f"COMFYTUI_LOG: {plain(name or '', 200)} cannot be written ({error.strerror}).") from None
    logging.basicConfig(
        handlers=[handler], level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s"
    )
