"""The built distributions contain the style sheets, and the program finds them."""

import tarfile
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from comfytui.ui.themes import SHEETS, STYLES

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="not a checkout")


def test_the_wheel_contains_the_style_sheets(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"comfytui/styles/{sheet.name}" for sheet in SHEETS} <= names
    assert "comfytui/py.typed" in names
    assert not any(name.startswith(("tests/", "styles/")) for name in names)


def test_the_source_distribution_contains_the_style_sheets(tmp_path: Path) -> None:
    (sdist,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with tarfile.open(sdist) as archive:
        assert any(name.endswith("styles/app.tcss") for name in archive.getnames())


def test_a_checkout_uses_its_own_style_sheets() -> None:
    assert STYLES == ROOT / "styles"
    assert SHEETS
