"""`comfytui completion`: print the script with which a shell completes the command line."""

import click

from comfytui.cli.completion_values import COMPLETION_VARIABLE
from comfytui.cli.dashboard import HELP


@click.command(context_settings=HELP)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes options, commands, named servers and jobs in SHELL.

    \b
    bash, in ~/.bashrc:  eval "$(comfytui completion bash)"
    zsh, in ~/.zshrc, after compinit:  eval "$(comfytui completion zsh)"
    fish:  comfytui completion fish > ~/.config/fish/completions/comfytui.fish
    """
    from click.shell_completion import get_completion_class

    from comfytui.cli.open import open_

    kind = get_completion_class(shell)
    assert kind, "click knows these shells"
    click.echo(kind(open_, {}, "comfytui", COMPLETION_VARIABLE).source())
