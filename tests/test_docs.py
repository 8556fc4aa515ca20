"""The documentation names modules, names and files that exist."""

import ast
import re
from pathlib import Path

import pytest

import comfytui

PACKAGE = Path(comfytui.__file__).parent
ROOT = PACKAGE.parent
DOCS = ROOT / ".github"
pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="not a checkout")
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")]) if DOCS.exists() else []
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
JOURNEY = re.compile(r"^\| \d+ \| `([^`]+)` \| (.*) \|$", re.MULTILINE)


def name_of(page: Path) -> str:
    return page.name


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_paths_on_a_page_exist(page: Path) -> None:
    text = page.read_text()
    paths = {path for path in re.findall(r"`((?:[\w.]+/)+[\w.]*)`", text) if not path.startswith(("/", "~"))}
    bases = [ROOT, PACKAGE, *(path for path in PACKAGE.iterdir() if path.is_dir())]
    missing = {path for path in paths if not any((base / path).exists() for base in bases)}
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_on_a_page_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    assert not [link for link in links if "://" not in link and not (page.parent / link).exists()]


def test_each_step_of_a_journey_is_in_its_module() -> None:
    steps = JOURNEY.findall((DOCS / "docs" / "architecture.md").read_text())
    assert len(steps) > 30
    for module, names in steps:
        defined = names_in((PACKAGE / module).read_text())
        missing = set(re.findall(r"`([\w.]+)`", names)) - defined
        assert not missing, f"{module} has no {missing}"


def names_in(source: str) -> set[str]:
    """Return the classes, functions, methods and constants of a module, methods as `Class.method`."""
    names = set()
    for node in ast.parse(source).body:
        match node:
            case ast.ClassDef(name=name, body=body):
                names |= {name, *(f"{name}.{each.name}" for each in body if isinstance(each, FUNCTIONS))}
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
    return names
