"""Run the dashboard: its options, which several commands share, and the checks of the terminal."""

import os
import signal
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from comfytui.cli.completion_values import complete_folder

if TYPE_CHECKING:
    from comfytui.comfy.server import Server
    from comfytui.ui.app import ComfyApp
    from comfytui.workflow.graph import Workflow

Command = TypeVar("Command", bound=Callable[..., Any])


class FolderType(click.Path):
    """The type of a folder to save in: an empty name, as of a variable that is not set, is not the current folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: "str | os.PathLike[str]", param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path of the folder; as `click.ParamType.convert` has it."""
        if value == "":
            self.fail("The name of the folder is empty.", param, ctx)
        return super().convert(value, param, ctx)


HELP = {"help_option_names": ["-h", "--help"]}
"""Click's settings of every command."""


def dashboard_options(command: Command) -> Command:
    """Add the options of every command that opens the dashboard."""
    for option in reversed(
        (
            click.option(
                "--workflow",
                metavar="FILE",
                type=click.Path(),
                help="A workflow in either format, or a file that ComfyUI saved one in.",
            ),
            click.option(
                "--output",
                metavar="FOLDER",
                type=FolderType(),
                shell_complete=complete_folder,
                help="Folder to save images in.",
            ),
            click.option("--no-previews", is_flag=True, help="Neither show nor request live previews."),
            click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII characters only."),
            click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal."),
        )
    ):
        command = option(command)
    return command


def run_dashboard(
    server: "Server | None",
    *,
    workflow: str | None,
    output: Path | None,
    no_mouse: bool,
    **options: Any,
) -> None:
    """Run the dashboard of a server, or the start screen without one, until the user quits.

    The arguments that are not listed are the options of `dashboard_options`.

    Args:
        server: The server to open.
        options: The other options, and `journal` and more fields of `Options`.

    Raises:
        click.UsageError: An option is wrong, or the terminal cannot show the dashboard.
        SystemExit: The app ended with an exit code other than 0.
    """
    from comfytui.ui import garbage_collection

    loaded = workflow_to_show(workflow)
    folder = _output_folder(output)
    _check_terminal()
    garbage_collection.disable()
    _run(_new_app(server, workflow=loaded, output=folder, **options), mouse=not no_mouse)


def _new_app(
    server: "Server | None", *, no_previews: bool, ascii_only: bool, journal: Path | None = None, **options: Any
) -> "ComfyApp":
    """Return the app; `journal` is the folder of the journal and the drafts, None keeps nothing."""
    from comfytui.service.journal.paths import state_folder
    from comfytui.ui.app import ComfyApp
    from comfytui.ui.drafts import DraftFolder
    from comfytui.ui.options import Options
    from comfytui.ui.recent_files import RecentFiles
    from comfytui.ui.themes import ThemeStore
    from comfytui.workflow.prompt_text.wildcards import user_folder

    return ComfyApp(
        Options(
            prompt_files=user_folder("."),
            previews=not no_previews,
            ascii=ascii_only or not supports_unicode(),
            journal=journal,
            drafts=DraftFolder(journal),
            recent=RecentFiles(state_folder()),
            theme=ThemeStore(state_folder()),
            **options,
        ),
        server,
    )


def _run(app: "ComfyApp", *, mouse: bool) -> None:
    """Run the app, print its last message, and exit with its code if that is not 0."""
    from comfytui.ui.terminal.shutdown import Shutdown

    with Shutdown(app.leave, app.shutdown_hooks):
        app.run(mouse=mouse)
        # After a SIGHUP there is no terminal left to print to.
        if app.farewell and app.return_code != 128 + signal.SIGHUP:
            with suppress(OSError):
                click.echo(app.farewell, err=True)
    if app.stuck:
        # A DNS lookup that hangs in the service's thread would delay the exit until it returns.
        sys.stderr.flush()
        os._exit(app.return_code or 0)
    if app.return_code:
        sys.exit(app.return_code)


def workflow_to_show(path: str | None, *, variations: bool = True) -> "Workflow":
    """Return the workflow in a file of either format, or the built-in one without a file.

    Args:
        path: The file.
        variations: Whether its prompts are templates when they are sent: then those of a picture stay as they are.

    Raises:
        click.UsageError: The file cannot be used.
    """
    from comfytui.workflow.builtin import txt2img
    from comfytui.workflow.documents import load_document
    from comfytui.workflow.errors import WorkflowError
    from comfytui.workflow.unconverted import workflow_to_open

    try:
        if path is None:
            return txt2img()
        document = load_document(path)
        if not variations or not document.is_sent:
            return workflow_to_open(document)
    except WorkflowError as error:
        raise click.UsageError(str(error)) from None
    # Imported late: most workflows are JSON.
    from comfytui.workflow.prompt_text.literal import open_document
    from comfytui.workflow.prompt_text.wildcards import user_folder

    return open_document(document, user_folder("wildcards"))


def _output_folder(path: Path | None) -> Path:
    """Return the folder to save images in, which need not exist."""
    from platformdirs import user_downloads_path

    check_output(path)
    return path or user_downloads_path()


def check_output(path: Path | None) -> None:
    """Check the folder to save images in, which need not exist.

    Raises:
        click.UsageError: It is something else than a folder, or nothing can be saved there.
    """
    if path:
        from comfytui.new_files import SaveError, check_folder

        try:
            check_folder(path)
        except SaveError as error:
            raise click.UsageError(str(error)) from None


def _check_terminal() -> None:
    """Refuse to start without a terminal that this process may control."""
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        raise click.UsageError("comfytui needs a terminal: run it without redirecting its input or standard error.")
    if not _controls_terminal():
        raise click.UsageError("comfytui is in the background of this terminal: run it in the foreground.")


def _controls_terminal() -> bool:
    """Whether this process may set the terminal's modes.

    A background job stops here until it is in the foreground; one whose shell no longer knows it is refused.
    """
    try:
        termios.tcsetattr(sys.stdin, termios.TCSANOW, termios.tcgetattr(sys.stdin))
    except termios.error:
        return False
    return True


def supports_unicode() -> bool:
    """Return whether the user's locale has Unicode; Python's own encoding says so of the C locale too."""
    if os.environ.get("LC_ALL") in {"C", "POSIX"}:
        return False
    encoding = sys.stderr.encoding if sys.stderr else None  # It may be closed.
    return (encoding or "ascii").lower().replace("-", "") in {"utf8", "utf16", "utf32"}
