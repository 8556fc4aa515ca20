"""The relay's page by keyboard, with the colours of a user, and in a browser that allows little."""

from base64 import b64decode
from io import BytesIO

import pytest
from PIL import Image

from tests.browser.browser import Browser
from tests.browser.chromium import Chromium
from tests.browser.page import LINE, log_in
from tests.browser.stub_relay import StubRelay, batch, end, image, progress


async def test_bars_are_seen_with_the_colours_of_the_user(browser: Browser, relay: StubRelay) -> None:
    if not isinstance(browser, Chromium):
        pytest.skip("only chromium has a command that forces colours")
    relay.batches = [batch()]
    await browser.open(relay.url)
    await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
    await browser.command("Emulation.setEmulatedMedia", features=[{"name": "forced-colors", "value": "active"}])
    try:
        box = await browser.run("document.querySelector('progress').getBoundingClientRect().toJSON()")
        clip = {name: box[name] for name in ("x", "y", "width", "height")} | {"scale": 1}
        shot = await browser.command("Page.captureScreenshot", clip=clip)
        picture = Image.open(BytesIO(b64decode(shot["data"]))).convert("L")
        row, width = picture.tobytes()[picture.height // 2 * picture.width :], picture.width
        assert abs(row[width // 4] - row[width * 3 // 4]) > 100
    finally:
        await browser.command("Emulation.setEmulatedMedia", features=[])


async def test_every_stop_of_the_keyboard_is_seen(browser: Browser, locked_relay: StubRelay) -> None:
    if not isinstance(browser, Chromium):
        pytest.skip("keys are sent to chromium only")
    locked_relay.name = "a very long name of a server " * 9
    locked_relay.batches = [batch("e1", status="done", progress=None), batch()]
    states = {1: "done", 2: "running", 3: "queued", 4: "queued"}
    locked_relay.jobs = [image("e1"), *(image(index=index, status=states[index]) for index in states)]
    await log_in(browser, locked_relay)
    await browser.until("document.querySelectorAll('article').length", 2)
    stops, outlines = [], []
    for _ in range(6):
        await browser.press_tab()
        stops.append(await browser.run("document.activeElement.innerText.trim() || document.activeElement.title"))
        outlines.append(await browser.run("getComputedStyle(document.activeElement).outlineStyle"))
    assert outlines == ["solid"] * 6
    await browser.press_tab()
    assert await browser.run("document.activeElement.tagName") == "BODY"
    assert stops == [
        "a red fox in fresh snow",
        "Cancel",
        "3 images left",
        "Image 1 of 4, seed 41, 1.png",
        "a red fox in fresh snow",
        "Image 1 of 4, seed 41, 1.png",
    ]


async def test_the_focus_stays_in_a_batch_that_moves(browser: Browser, relay: StubRelay) -> None:
    relay.batches = [batch(), batch("b2", "a lighthouse", progress=progress("b2", status="queued"))]
    relay.jobs = [image(index=1)]
    await browser.open(relay.url)
    await browser.until("document.querySelectorAll('#front article').length", 2)
    await browser.run("document.querySelector('[data-id=b1] summary').focus()")
    relay.send(image(index=2), image(index=3), image(index=4), end())
    await browser.until_text("#ended .line span", "4 of 4 done")
    assert await browser.run("document.activeElement === document.querySelector('[data-id=b1] summary')")


async def test_the_page_works_in_a_browser_without_storage(browser: Browser, relay: StubRelay) -> None:
    if not isinstance(browser, Chromium):
        pytest.skip("only chromium has a command that runs a script before those of a page")
    denied = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }})"
    script = await browser.command("Page.addScriptToEvaluateOnNewDocument", source=denied)
    try:
        relay.batches = [batch()]
        await browser.open(relay.url)
        await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
        assert await browser.errors() == []
    finally:
        await browser.command("Page.removeScriptToEvaluateOnNewDocument", identifier=script["identifier"])
