"""The group of all commands: its own parameters are the dashboard's, and a command is imported when it is chosen."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from comfytui.command_names import COMMANDS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class CommandLine(click.Group):
    """`comfytui [SERVER]`, or a command if the first argument names one."""

    allow_extra_args = False
    allow_interspersed_args = True

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"comfytui.cli.{cmd_name}"), cmd_name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments of the dashboard, or leave them all to a command."""
        if args and args[0] in COMMANDS:
            ctx.args = args
        else:
            click.Command.parse_args(self, ctx, args)
            ctx.args = []  # While a shell completes a word, there may be too many.
        return ctx.args

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, or the dashboard without one."""
        if not ctx.args:
            return click.Command.invoke(self, ctx)
        name, *args = ctx.args
        command = self.get_command(ctx, name)
        assert command, "parse_args has found it"
        ctx.invoked_subcommand = name
        with command.make_context(name, args, parent=ctx) as sub_context:
            return command.invoke(sub_context)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the parameters of the dashboard; none while click asks for them to show a command's name."""
        return super().get_params(ctx) if ctx.command is self else []

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return the options: what the argument may be, a command too, is the argument's to say."""
        return click.Command.shell_complete(self, ctx, incomplete)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the usage as one line, for a man page."""
        return ["[OPTIONS]", "[SERVER]", "|", "COMMAND", "[ARGS]..."]

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write how the dashboard and the commands are used."""
        formatter.write_usage(ctx.command_path, "[OPTIONS] [SERVER]")
        formatter.write_usage(ctx.command_path, "COMMAND [ARGS]...", prefix="   or: ")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one line for each command, without importing it."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
