"""What a shell completes in place of a server or a job: callbacks for the `shell_complete` of arguments."""

from typing import TYPE_CHECKING, Any

from comfytui.cli.server_options import PROMPT_ID
from comfytui.command_names import COMMANDS

if TYPE_CHECKING:
    from click import Context, Parameter
    from click.shell_completion import CompletionItem

COMPLETION_VARIABLE = "_COMFYTUI_COMPLETE"
"""The variable that a shell's script sets when it asks for the words that may follow."""


def complete_folder(context: "Context", parameter: "Parameter", incomplete: str) -> "list[CompletionItem]":
    """Let the shell complete a folder."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


def complete_file_or_server(context: "Context", parameter: "Parameter", incomplete: str) -> "list[CompletionItem]":
    """Let the shell complete a file; after the first one, return the named servers, too."""
    from click.shell_completion import CompletionItem

    files = [CompletionItem(incomplete, type="file")]
    return files + complete_server(context, parameter, incomplete) if _given(context, parameter) else files


def complete_server(context: "Context", parameter: "Parameter", incomplete: str) -> "list[CompletionItem]":
    """Return the named servers of the config file; no secret is read. It is a value for `shell_complete`."""
    from click.shell_completion import CompletionItem

    from comfytui.comfy.address import BadServer
    from comfytui.config.config import read_config
    from comfytui.sanitize import sanitize

    try:
        summaries = read_config(context.params.get("config_path")).summaries()
    except BadServer:
        return []
    return [
        CompletionItem(name, help=sanitize(summary, 100))
        for name, summary in summaries
        if name.startswith(incomplete) and _is_server_name(name)
    ]


def complete_command_or_server(context: "Context", parameter: "Parameter", incomplete: str) -> "list[CompletionItem]":
    """Return the commands, which stand before all options, and the named servers."""
    from click.core import ParameterSource
    from click.shell_completion import CompletionItem

    first = all(context.get_parameter_source(name) is not ParameterSource.COMMANDLINE for name in context.params)
    commands = COMMANDS.items() if first else ()
    found = [CompletionItem(name, help=help_line) for name, help_line in commands if name.startswith(incomplete)]
    return found + complete_server(context, parameter, incomplete)


def complete_job(context: "Context", parameter: "Parameter", incomplete: str) -> "list[CompletionItem]":
    """Return the ids of the journal's unfinished jobs that are not among the arguments yet, newest first."""
    from click.shell_completion import CompletionItem

    from comfytui.service.journal.open_jobs import open_job_ids
    from comfytui.service.journal.paths import state_folder

    given = _given(context, parameter)
    return [
        CompletionItem(each)
        for each in open_job_ids(state_folder())
        if each.startswith(incomplete) and each not in given and PROMPT_ID.fullmatch(each)
    ]


def complete_server_or_job(context: "Context", parameter: "Parameter", incomplete: str) -> "list[CompletionItem]":
    """Return what may follow in `[SERVER] [ID]...`: servers in the first place only."""
    jobs = complete_job(context, parameter, incomplete)
    return jobs if _given(context, parameter) else complete_server(context, parameter, incomplete) + jobs


def _given(context: "Context", parameter: "Parameter") -> tuple[Any, ...]:
    """Return the values that an argument with any number of them has already."""
    value = context.params.get(parameter.name or "")
    return tuple(value) if isinstance(value, list | tuple) else ()


def _is_server_name(name: str) -> bool:
    """Whether a name of the file, which may be any text, can be that of a server."""
    from comfytui.config.server_config import name_error

    return not name_error(name)
