"""`comfytui run`: make images, and wait for them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import click

from comfytui.cli.dashboard import HELP, FolderType, check_output, supports_unicode, workflow_to_show
from comfytui.cli.server_command import code_of_end, exit_code
from comfytui.cli.server_options import ServerArguments, resolve_server, server_options


@click.command(context_settings=HELP)
@click.argument("server", required=False)
@click.option("--workflow", metavar="FILE", help="A workflow in either format, or a file that ComfyUI saved one in.")
@click.option(
    "--set",
    "settings",
    metavar="FIELD=VALUE",
    multiple=True,
    help="Value of a field or input: steps=30, steps=20,30, 3.denoise=0.5; repeatable.",
)
@click.option("--no-variations", is_flag=True, help="Send the prompt as it is: no {a|b}, __name__ and <lora:…>.")
@click.option("-n", "--images", metavar="COUNT", type=int, default=1, show_default=True, help="How many images.")
@click.option("--seed", metavar="SEED", type=int, help="Seed of the first image.")
@click.option(
    "--seed-mode",
    type=click.Choice(["fixed", "increment", "random"]),
    help="How the seeds differ; without --seed: random.",
)
@click.option("--output", metavar="FOLDER", type=FolderType(), help="Folder to save the files in.")
@click.option("--detach", is_flag=True, help="End once the server has the jobs.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object for each event.")
@click.option(
    "--timeout", metavar="SECONDS", type=click.FloatRange(0, min_open=True), help="End after this time; the jobs go on."
)
@server_options
def run(
    server: str | None,
    workflow: str | None,
    settings: tuple[str, ...],
    no_variations: bool,
    images: int,
    seed: int | None,
    seed_mode: str | None,
    output: Path | None,
    detach: bool,
    as_json: bool,
    timeout: float | None,
    **arguments: Unpack[ServerArguments],
) -> int:
    """Make images on SERVER, and wait until they are done.

    SERVER is a URL or a name from the config file; without it, the one that comfytui would open. ctrl+c asks whether
    the jobs go on.
    """
    if detach and output:
        raise click.UsageError("--detach does not wait for the files: save them with comfytui wait --output.")
    values = _values(settings)
    check_output(output)
    loaded = workflow_to_show(workflow, variations=not no_variations)
    chosen = resolve_server(server, **arguments)

    from comfytui.headless.commands.batch_run import RunOptions
    from comfytui.headless.commands.run import run
    from comfytui.headless.generate import GenerateRequest
    from comfytui.headless.value_checks import FieldError
    from comfytui.workflow.errors import WorkflowError
    from comfytui.workflow.prompt_text.wildcards import user_folder
    from comfytui.workflow.seeds import SeedMode

    mode = SeedMode(seed_mode) if seed_mode else None
    wildcards = user_folder("wildcards")
    request = GenerateRequest(
        loaded, values, images, mode, seed, axes=True, tools=not no_variations, wildcards=wildcards
    )
    options = RunOptions(output=output, detach=detach, as_json=as_json, plain=not supports_unicode(), timeout=timeout)
    try:
        return exit_code(run(chosen, request, options), code_of_end)
    except FieldError as error:
        raise click.UsageError(error.message) from None
    except WorkflowError as error:
        raise click.ClickException(str(error)) from None


def _values(settings: Sequence[str]) -> dict[str, object]:
    """Return the values by their fields; of one that is given twice, the last.

    Raises:
        click.UsageError: One of them has no field.
    """
    values: dict[str, object] = {}
    for setting in settings:
        field, separator, value = setting.partition("=")
        if not separator or not field:
            raise click.UsageError("--set takes FIELD=VALUE, as in --set steps=30.")
        values[field] = value
    return values
