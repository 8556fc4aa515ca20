"""`comfytui convert`: write workflows of ComfyUI's editor in the API format."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from comfytui.cli.completion_values import complete_file_or_server, complete_folder
from comfytui.cli.dashboard import HELP, FolderType, check_output
from comfytui.cli.exit_codes import ExitCode
from comfytui.cli.server_command import run_on_server
from comfytui.cli.server_options import ServerArguments, resolve_server, server_options
from comfytui.sanitize import sanitize

if TYPE_CHECKING:
    from comfytui.comfy.protocol.definitions_json import Definitions

STANDARD_INPUT = "standard input", Path("/dev/stdin")
FILE_NAME = re.compile(
    r".*\.(a?png|avif|exr|flac|glb|jpe?g|json|latent|m4v|mkv|mov|mp[34]|ogg|opus|safetensors|svg|txt|web[mp])",
    re.IGNORECASE | re.DOTALL,
)
"""The name of a file also where there is no such file."""


@click.command(context_settings=HELP)
@click.argument(
    "arguments", nargs=-1, required=True, metavar="FILE... [SERVER]", shell_complete=complete_file_or_server
)
@server_options
@click.option(
    "--object-info",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Node definitions as /object_info has them, instead of SERVER's.",
)
@click.option(
    "--output",
    metavar="FOLDER",
    type=FolderType(),
    shell_complete=complete_folder,
    help="Folder to write in: one JSON file for each FILE.",
)
def convert(
    arguments: tuple[str, ...], object_info: Path | None, output: Path | None, **options: Unpack[ServerArguments]
) -> int:
    """Write workflows of ComfyUI's editor in the API format, as the editor sends them.

    A FILE is JSON, or an image, video or sound that ComfyUI saved; - is standard input. What a conversion needs is read
    from SERVER, and nothing is sent. One FILE is written to standard output, several into the folder of --output, as
    JSON files of the same name; none is overwritten. The exit code is 1 if one of them could not be queued or written;
    standard error says why.
    """
    names, server = _split(arguments, options["config_path"], all_files=object_info is not None)
    if len(names) > 1 and output is None:
        raise click.UsageError("Several files need a folder to be written in: give --output.")
    check_output(output)
    definitions = _definitions_in(object_info) if object_info else None

    from comfytui.headless.commands.convert import ConvertCommand

    command = ConvertCommand([STANDARD_INPUT if name == "-" else (name, Path(name)) for name in names], output)
    if definitions is None and command.needs_definitions:
        work = command.write_for(resolve_server(server, **options))
    else:
        work = command.write(definitions or {})
    return run_on_server(work, lambda succeeded: ExitCode.DONE if succeeded else ExitCode.FAILED)


def _definitions_in(path: Path) -> "Definitions":
    """Return the node definitions in a file.

    Raises:
        click.UsageError: It cannot be read, or has none.
    """
    from comfytui.service.definition_files import read_definitions

    quoted = sanitize(str(path), 200)
    try:
        return read_definitions(path)
    except OSError as error:
        reason = sanitize(error.strerror or "input/output error", 100)
        raise click.UsageError(f"'{quoted}' cannot be read ({reason}): give another file.") from None
    except ValueError as error:
        advice = "give what a server answers at /object_info"
        raise click.UsageError(f"'{quoted}' cannot be used, {error}: {advice}.") from None


def _split(arguments: Sequence[str], config_path: Path | None, *, all_files: bool) -> tuple[list[str], str | None]:
    """Return the names of the files, and the server if the last of several arguments is one.

    Raises:
        BadServer: The config file cannot be read.
        click.UsageError: Standard input is named twice.
    """
    *first, last = arguments
    server = last if first and not all_files and _is_server(last, config_path) else None
    files = first if server is not None else [*first, last]
    if files.count("-") > 1:
        raise click.UsageError("Standard input (-) can be converted once.")
    return files, server


def _is_server(argument: str, config_path: Path | None) -> bool:
    """Return whether an argument is a server rather than a file: no such file exists, nor has it a name like one."""
    from comfytui.config.config import read_config

    if "://" in argument:
        return True
    path = Path(argument)
    if argument == "-" or path.is_file() or FILE_NAME.fullmatch(argument):
        return False
    return argument in read_config(config_path).servers or not path.exists()
