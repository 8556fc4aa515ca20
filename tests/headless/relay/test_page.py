"""The relay's page: the files, what they may load, and how they are cached."""

import re
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from hatchling.builders.wheel import WheelBuilder

from comfytui.headless.relay.page import FOLDER, page_files, page_routes
from comfytui.sim.server import SimServer
from tests.headless.relay.running import running_relay

ROOT = Path(__file__).parents[3]
PATHS = sorted(page_files()[1])


class Markup(HTMLParser):
    """The elements and the attributes of a document, and the text inside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.inline = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        if self.cdata_elem:
            self.inline += data.strip()


@asynccontextmanager
async def served_page() -> AsyncIterator[httpx.AsyncClient]:
    """Serve the page alone, and yield a client of it."""
    app = web.Application()
    app.add_routes(page_routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            yield client
    finally:
        await runner.cleanup()


async def test_a_relay_has_the_page() -> None:
    async with SimServer() as sim, running_relay(sim.url) as relay:
        response = await relay.client.get("/")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<title>comfytui</title>" in response.text


async def test_each_file_has_its_media_type_and_a_policy_without_inline_code() -> None:
    types = {"/": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    async with served_page() as client:
        for path in PATHS:
            response = await client.get(path)
            assert response.headers["Content-Type"] == f"{types[Path(path).suffix or '/']}; charset=utf-8"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            policy = response.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy


async def test_the_document_has_nothing_inline() -> None:
    async with served_page() as client:
        markup = Markup((await client.get("/")).text)
    assert "style" not in markup.tags
    assert not markup.inline
    assert not [name for name, _ in markup.attributes if name.startswith("on") or name == "style"]


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir()))
def test_no_file_names_another_origin(name: str) -> None:
    text = (FOLDER / name).read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "://" not in text
    assert not re.search(r"""["'(]//""", text)


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.js")))
def test_no_script_makes_markup_of_text(name: str) -> None:
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|srcdoc|setAttribute\([^,]*\"on"
    )
    assert not re.search(forbidden, (FOLDER / name).read_text())


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour such as `#14161b`, as WCAG defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["dark", "light"])
def test_texts_and_bars_have_enough_contrast(theme: int) -> None:
    block = re.findall(r":root \{(.*?)\}", (FOLDER / "page.css").read_text(), re.DOTALL)[theme]
    colours = dict(re.findall(r"--(\w+): (#\w{6})", block))
    for name in ("foreground", "quiet", "accent", "link", "good", "warning", "bad"):
        for behind in ("background", "surface"):
            assert contrast(colours[name], colours[behind]) >= 4.5, (name, behind)
    assert contrast(colours["accent"], colours["border"]) >= 3
    assert contrast(colours["quiet"], colours["border"]) >= 3


async def test_files_are_kept_for_long_by_their_version_only() -> None:
    async with served_page() as client:
        page = (await client.get("/")).text
        for name in re.findall(r'(?:href|src)="(/[^"]+\.(?:css|js|svg)[^"]*)"', page):
            assert "?v=" in name
            assert "immutable" in (await client.get(name)).headers["Cache-Control"]
            assert (await client.get(name.partition("?")[0])).headers["Cache-Control"] == "no-cache"
        assert (await client.get("/")).headers["Cache-Control"] == "no-cache"


async def test_scripts_import_one_another_with_their_version() -> None:
    version, files = page_files()
    imports = [name for file in files.values() for name in re.findall(rb'from "\./([^"]+)"', file.body)]
    assert imports
    assert all(name.endswith(f"?v={version}".encode()) for name in imports)
    async with served_page() as client:
        for name in imports:
            assert (await client.get(f"/{name.decode()}")).status_code == 200


async def test_the_page_is_small_and_asks_for_all_its_files_at_once() -> None:
    async with served_page() as client:
        page = await client.get("/", headers={"Accept-Encoding": "gzip"})
        named = {path.partition("?")[0] for path in re.findall(r'(?:href|src)="(/[^"]*\.[^"]*)"', page.text)}
        assert named | {"/"} == set(PATHS)
        sizes = [int(page.headers["Content-Length"])]
        for path in sorted(named):
            response = await client.get(path, headers={"Accept-Encoding": "gzip"})
            plain = await client.get(path, headers={"Accept-Encoding": "identity"})
            assert response.content == plain.content
            assert response.headers["ETag"] != plain.headers["ETag"]
            sizes.append(int(response.headers["Content-Length"]))
    assert sum(sizes) < 24_000


async def test_a_file_that_the_browser_has_is_not_sent_again() -> None:
    async with served_page() as client:
        first = await client.get("/")
        second = await client.get("/", headers={"If-None-Match": first.headers["ETag"]})
        other = await client.get("/", headers={"If-None-Match": '"other"'})
    assert (second.status_code, second.content) == (304, b"")
    assert other.content == first.content


@pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="not a checkout")
def test_the_wheel_contains_the_page(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"comfytui/headless/relay/page/{path.name}" for path in FOLDER.iterdir()} <= names
