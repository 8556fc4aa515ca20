"""The built distributions contain the style sheets and the man pages, and the program finds them."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from comfytui.command_names import COMMANDS
from comfytui.ui.themes import SHEETS, STYLES

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="not a checkout")


def test_the_wheel_contains_the_style_sheets(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"comfytui/styles/{sheet.name}" for sheet in SHEETS} <= names
    assert "comfytui/py.typed" in names
    assert not any(name.startswith(("tests/", "styles/")) for name in names)


def test_the_wheel_contains_a_man_page_of_each_command(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    if "No module named pip" in done.stderr or "No matching distribution" in done.stderr:
        pytest.skip("the build requirements cannot be installed")
    assert not done.returncode, done.stderr
    wheel = zipfile.ZipFile(next(tmp_path.glob("*.whl")))
    pages = {Path(name).name: wheel.read(name).decode() for name in wheel.namelist() if "/share/man/man1/" in name}
    assert pages.keys() == {"comfytui.1", *(f"comfytui-{command}.1" for command in COMMANDS)}
    assert all(f"comfytui-{command}(1)" in pages["comfytui.1"] for command in COMMANDS)
    for command, line in COMMANDS.items():
        assert f"comfytui\\-{command} \\- {line}" in pages[f"comfytui-{command}.1"]
    assert not any("\b" in page for page in pages.values())


def test_the_source_distribution_contains_the_style_sheets_and_the_build_hook(tmp_path: Path) -> None:
    (sdist,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    assert any(name.endswith("styles/app.tcss") for name in names)
    assert any(name.endswith(".ci/man_pages.py") for name in names), "the wheel is built from it too"


def test_a_checkout_uses_its_own_style_sheets() -> None:
    assert STYLES == ROOT / "styles"
    assert SHEETS
