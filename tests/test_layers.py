"""The arrows of the design: imports only go down, and the truth drags in neither a screen nor a socket."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import comfytui

PACKAGE = Path(comfytui.__file__).parent
TOP = {"cli", "__main__"}
WIRE_WORDS = frozenset({"comfy.abilities", "comfy.events", "comfy.media", "comfy.replies"})
ALLOWED: dict[str, frozenset[str]] = {
    "plain": frozenset(),
    "files": frozenset(),
    "comfy": frozenset({"plain"}),
    "config": frozenset({"comfy.server", "plain"}),
    "choice": frozenset({"config", "comfy", "files", "plain"}),
    "drafts": frozenset({"files", "workflow"}),
    "workflow": frozenset({"plain"}),
    "session": WIRE_WORDS | {"workflow", "plain"},
    "service": frozenset({"comfy", "session", "workflow", "plain"}),
    "ui": frozenset({"drafts", "files", "service", "session", "workflow", "plain", "comfy.errors", "comfy.server"})
    | WIRE_WORDS,
    "sim": frozenset({"plain"}),
}
"""What each room may import of the others; a room is its modules, a dotted name one module of it."""
QUESTIONS = {"ui/choices.py", "ui/saving.py"}
"""Files of the screen that word questions for `SocketService.ask`, and so name the type of the client that answers."""
BARRED = {
    "comfy": {"textual", "aiohttp"},
    "config": {"textual", "aiohttp", "httpx", "websockets"},
    "choice": {"textual", "aiohttp", "httpx", "websockets"},
    "drafts": {"textual", "aiohttp", "httpx", "websockets"},
    "workflow": {"textual", "aiohttp", "httpx", "websockets"},
    "session": {"textual", "aiohttp", "httpx", "websockets", "asyncio", "time", "datetime", "pathlib", "os"},
    "service": {"textual", "aiohttp"},
    "ui": {"aiohttp", "httpx", "websockets"},
    "sim": {"textual", "httpx", "websockets"},
}
"""Outside packages that a room stays away from."""
FILES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0].removesuffix(".py") not in TOP
)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever the import stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module), level=0, names=names):
                yield from (f"{module}.{name.name}" for name in names) if module.count(".") == 0 else [module]
            case ast.ImportFrom():
                raise AssertionError(f"{path} has a relative import")


def allowed(room: str, module: str) -> bool:
    inner = module.removeprefix("comfytui.")
    return inner.split(".")[0] == room or any(inner == name or inner.startswith(f"{name}.") for name in ALLOWED[room])


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_only_go_down(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        assert not [module for module in imports(path) if module.startswith("comfytui")]
        return
    ours = {module for module in imports(path) if module.startswith("comfytui.")}
    if name_of(path) in QUESTIONS:
        ours.discard("comfytui.comfy.client")
    wrong = sorted(module for module in ours if not allowed(room, module))
    assert not wrong, f"{room} may not import {wrong}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_each_room_stays_away_from_what_is_not_its_business(path: Path) -> None:
    barred = BARRED.get(room_of(path), set())
    assert not barred & {module.split(".")[0] for module in imports(path)}


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        (
            "comfytui.session.reduce comfytui.session.progress comfytui.session.views",
            "textual httpx websockets aiohttp",
        ),
        ("comfytui.session.boil comfytui.session.unsettled", "textual httpx websockets aiohttp"),
        ("comfytui.workflow.graph comfytui.workflow.recipe", "textual httpx websockets aiohttp"),
        ("comfytui.config.file comfytui.choice", "textual httpx websockets aiohttp"),
        ("comfytui.comfy.decode comfytui.comfy.parse", "textual httpx websockets aiohttp"),
        ("comfytui.service.service", "textual aiohttp"),
        ("comfytui.cli", "aiohttp comfytui.sim"),
    ],
)
def test_importing_a_room_loads_no_more_than_it_needs(modules: str, unwanted: str) -> None:
    code = f"import sys, {', '.join(modules.split())}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not set(unwanted.split()) & set(loaded)
