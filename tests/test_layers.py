"""The layers of the packages: imports only go down, and the session state needs neither a screen nor a socket."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import comfytui
from comfytui.sim.config import SimConfig
from comfytui.sim.demo import EmbeddedServer
from tests.cli.commands import environment
from tests.sim.graphs import text_to_image

PACKAGE = Path(comfytui.__file__).parent
PROTOCOL = frozenset(
    f"comfy.protocol.{name}" for name in ("capabilities", "events", "library", "media_types", "models")
)
"""Modules with the types of the protocol; they do no I/O."""
ALLOWED: dict[str, frozenset[str]] = {
    "sanitize": frozenset(),
    "timings": frozenset(),
    "clock": frozenset(),
    "new_files": frozenset({"sanitize"}),
    "private_files": frozenset(),
    "garbage_pause": frozenset(),
    "presets": frozenset({"private_files", "sanitize"}),
    "command_names": frozenset(),
    "decoding": frozenset(),
    "comfy": frozenset({"clock", "sanitize", "timings"}),
    "config": frozenset({"comfy.address", "comfy.server", "command_names", "sanitize"}),
    "workflow": frozenset({"sanitize"}),
    "session": PROTOCOL | {"workflow", "sanitize", "timings"},
    "service": frozenset(
        {"clock", "comfy", "new_files", "private_files", "session", "workflow", "sanitize", "timings"}
    ),
    "presentation": PROTOCOL
    | {"comfy.errors", "service.notifications", "service.results", "service.saving", "session", "workflow", "sanitize"},
    "ui": PROTOCOL
    | {
        "comfy.address",
        "comfy.errors",
        "comfy.server",
        "decoding",
        "garbage_pause",
        "new_files",
        "presentation",
        "presets",
        "private_files",
        "sanitize",
        "service",
        "session",
        "timings",
        "workflow",
    },
    "headless": PROTOCOL
    | {
        "clock",
        "comfy.errors",
        "comfy.server",
        "decoding",
        "garbage_pause",
        "new_files",
        "presentation",
        "presets",
        "private_files",
        "sanitize",
        "service",
        "session",
        "timings",
        "workflow",
    },
    "sim": frozenset({"sanitize"}),
}
"""What each package may import of the others: whole packages, or single modules by their dotted names.

The command line, which may import everything, is not in it.
"""
DIALECT = ("comfytui.comfy.client", "comfytui.comfy.http", "comfytui.comfy.websocket.event_stream")
"""Modules that speak to a ComfyUI; the service has a `Backend` for that."""
BARRED = {
    "comfy": {"textual", "aiohttp"},
    "config": {"textual", "aiohttp", "httpx", "websockets"},
    "decoding": {"textual", "aiohttp", "httpx", "websockets"},
    "workflow": {"textual", "aiohttp", "httpx", "websockets"},
    "session": {"textual", "aiohttp", "httpx", "websockets", "asyncio", "time", "datetime", "pathlib", "os"},
    "service": {"textual", "aiohttp"},
    "presentation": {"textual", "aiohttp", "httpx", "websockets"},
    "ui": {"aiohttp", "httpx", "websockets"},
    "headless": {"textual", "httpx", "websockets"},
    "sim": {"textual", "httpx", "websockets"},
}
"""Libraries that a package does not use."""
HEAVY = (
    "textual",
    "textual_image",
    "PIL",
    "aiohttp",
    "prometheus_client",
    "yaml",
    "websockets.legacy",
    "websockets.sync",
    "comfytui.ui",
    "comfytui.sim",
    "comfytui.decoding",
    "comfytui.headless.relay",
    "comfytui.headless.commands.progress_bars",
)
"""Modules that a command which only writes text does not load; httpx itself loads Rich where that is installed."""
FILES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in {"cli", "__main__.py"}
)


def package_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Yield every module that a file imports, wherever the import statement is."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module), level=0, names=names):
                yield from (f"{module}.{name.name}" for name in names) if module.count(".") == 0 else [module]
            case ast.ImportFrom():
                raise AssertionError(f"{path} has a relative import")


def allowed(package: str, module: str) -> bool:
    inner = module.removeprefix("comfytui.")
    return inner.split(".")[0] == package or any(
        inner == name or inner.startswith(f"{name}.") for name in ALLOWED[package]
    )


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_only_go_down(path: Path) -> None:
    package = package_of(path)
    if package == "__init__":
        assert not [module for module in imports(path) if module.startswith("comfytui")]
        return
    ours = {module for module in imports(path) if module.startswith("comfytui.")}
    wrong = sorted(module for module in ours if not allowed(package, module))
    assert not wrong, f"{package} may not import {wrong}"


@pytest.mark.parametrize(
    "path", [path for path in FILES if package_of(path) in {"service", "ui", "headless"}], ids=name_of
)
def test_only_the_supervisor_knows_which_backend_is_used(path: Path) -> None:
    speaks = {module for module in imports(path) if module.startswith(("comfytui.comfy.backend", *DIALECT))}
    assert not speaks or name_of(path) == "service/supervisor.py"


@pytest.mark.parametrize("path", [path for path in FILES if package_of(path) == "headless"], ids=name_of)
def test_only_the_relay_is_an_http_server(path: Path) -> None:
    servers = {"aiohttp", "aiohttp_sse", "prometheus_client"} & {module.split(".")[0] for module in imports(path)}
    assert not servers or name_of(path).startswith("headless/relay/")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_package_uses_a_library_that_is_not_its_business(path: Path) -> None:
    barred = BARRED.get(package_of(path), set())
    assert not barred & {module.split(".")[0] for module in imports(path)}


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        (
            "comfytui.session.reducer comfytui.session.progress comfytui.session.selectors",
            "textual httpx websockets aiohttp",
        ),
        ("comfytui.session.jobs.summarise comfytui.session.selectors", "textual httpx websockets aiohttp"),
        ("comfytui.workflow.graph comfytui.workflow.parameters", "textual httpx websockets aiohttp"),
        (
            "comfytui.ui.app",
            "aiohttp comfytui.ui.screens.job comfytui.ui.screens.start comfytui.ui.widgets.entry_search "
            "comfytui.service.saving comfytui.workflow.media.metadata comfytui.workflow.documents "
            "comfytui.workflow.document_files",
        ),
        (
            "comfytui.ui.dashboard.screen comfytui.service.supervisor",
            "aiohttp dynamicprompts msgspec http.cookiejar comfytui.service.definitions comfytui.session.connection "
            "comfytui.service.backend comfytui.comfy.protocol.events comfytui.comfy.protocol.models "
            "comfytui.comfy.protocol.library comfytui.comfy.http.multipart "
            "comfytui.workflow.editor.convert comfytui.workflow.prompt_text.template "
            "comfytui.workflow.prompt_text.completion comfytui.workflow.prompt_text.weights",
        ),
        ("comfytui.config.config comfytui.cli.startup_server", "textual httpx websockets aiohttp"),
        ("comfytui.comfy.protocol.decode comfytui.comfy.protocol.parse", "textual httpx websockets aiohttp"),
        ("comfytui.service.service", "textual aiohttp"),
        ("comfytui.headless.session comfytui.headless.subscription", "textual httpx websockets aiohttp rich"),
        (
            "comfytui.headless.commands.status comfytui.headless.commands.run comfytui.headless.commands.output",
            "textual httpx websockets aiohttp rich PIL comfytui.decoding",
        ),
        (
            "comfytui.cli.main",
            "textual httpx websockets aiohttp asyncio ssl comfytui.sim comfytui.comfy comfytui.config comfytui.service",
        ),
    ],
)
def test_importing_a_package_loads_no_more_than_it_needs(modules: str, unwanted: str) -> None:
    code = f"import sys, {', '.join(modules.split())}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not set(unwanted.split()) & set(loaded)


def test_a_workflow_in_json_is_read_without_the_readers_of_media(tmp_path: Path) -> None:
    file = tmp_path / "workflow.json"
    file.write_text(json.dumps(text_to_image()))
    code = (
        "import sys; from pathlib import Path; from comfytui.workflow.documents import load_document; "
        f"assert load_document(Path({str(file)!r})).graph; print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "comfytui.workflow.document_files" in loaded
    assert "comfytui.workflow.media.metadata" not in loaded


@pytest.mark.parametrize(("command", "options"), [("status", []), ("run", ["--detach"])])
def test_a_command_loads_no_more_than_it_needs(command: str, options: list[str], tmp_path: Path) -> None:
    with EmbeddedServer(SimConfig(load_seconds=0)) as server:
        ended = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "comfytui", command, server.url, *options],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            check=True,
        )
    imported = {
        line.rpartition("|")[2].strip() for line in ended.stderr.splitlines() if line.startswith("import time:")
    }
    assert {"httpx", "websockets.asyncio.client", "comfytui.service.journal.journal"} <= imported
    assert not {name for name in imported if any(name == each or name.startswith(f"{each}.") for each in HEAVY)}
