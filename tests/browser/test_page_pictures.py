"""The pictures, previews and files on the relay's page."""

import asyncio
from itertools import count

from tests.browser.browser import Browser
from tests.browser.page import HOSTILE, LINE
from tests.browser.stub_relay import StubRelay, batch, image, jpeg, progress
from tests.waiting import eventually


async def test_the_preview_of_the_running_image_gives_way_to_the_finished_picture(
    browser: Browser, relay: StubRelay
) -> None:
    relay.batches, relay.jobs = [batch(progress=progress(promptId="b1-p2"))], [image(index=1)]
    relay.previews = {"b1-p2": jpeg("red")}
    await browser.open(relay.url)
    await browser.until_text("#front .preview figcaption", "Preview of image 2")
    await browser.until("document.querySelector('.preview').checkVisibility()")
    assert await browser.run("document.querySelector('.preview canvas').ariaLabel") == "Preview of image 2"
    assert await browser.texts(".picture") == []
    assert await browser.run("document.querySelectorAll('.thumbnail').length") == 1
    relay.previews = {"b1-p2": jpeg("red", size=80)}
    for step in count(13):
        relay.send(progress(promptId="b1-p2", currentStep=step))
        if await browser.run("document.querySelector('canvas').width") == 80:
            break
        assert step < 2_000, "the newer preview is not shown"
        await asyncio.sleep(0.02)
    relay.send(image(index=2))
    await browser.until("document.querySelector('#front .picture').checkVisibility()")
    assert await browser.run("document.querySelector('#front .picture img').alt") == "Image 2 of 4, seed 42"
    assert await browser.texts(".preview") == []
    relay.send(progress(imageIndex=3, promptId="b1-p3", currentStep=1))
    await browser.until("document.querySelector('.line').textContent.includes('Image 3')")
    assert await browser.texts(".preview") == []


async def test_previews_keep_to_a_budget_of_bytes(browser: Browser, relay: StubRelay) -> None:
    noise = jpeg("red") + bytes(2_000_000)
    relay.batches, relay.previews = [batch(progress=progress(promptId="b1-p2"))], {"b1-p2": noise}
    await browser.open(relay.url)
    await browser.until("document.querySelector('.preview')?.checkVisibility()")
    # At 32 kB a second, the next is due after a minute.
    for step in range(30):
        relay.send(progress(promptId="b1-p2", currentStep=step))
        await browser.until(f"document.querySelector('.line').textContent.includes('Step {step}/') || {step} === 0")
    assert relay.requests.count("/api/preview/b1-p2") == 1


async def test_what_is_no_picture_is_no_preview(browser: Browser, relay: StubRelay) -> None:
    relay.batches, relay.previews = [batch(progress=progress(promptId="b1-p2"))], {"b1-p2": b"\xff\xd8\xff broken"}
    await browser.open(relay.url)
    await eventually(lambda: "/api/preview/b1-p2" in relay.requests, "the question")
    relay.send(progress(promptId="b1-p2", currentStep=13))
    await browser.until_text(LINE, "Image 2 of 4 - Step 13/20 (60%)")
    assert await browser.texts(".preview") == []
    assert await browser.errors() == []


async def test_a_picture_that_is_gone_is_a_text_until_it_is_back(browser: Browser, relay: StubRelay) -> None:
    relay.missing = True
    relay.batches = [batch(status="done", progress=None, total=2)]
    relay.jobs = [image(index=1), image(index=2)]
    await browser.open(relay.url)
    await browser.until("document.querySelectorAll('.missing').length", 3)
    gone = "#front .missing span"
    assert await browser.texts(gone) == ["Image 2 not available", "Image 1 not available", "Image 2 not available"]
    assert (
        await browser.run("[...document.querySelectorAll('img')].map((each) => getComputedStyle(each).visibility)")
        == ["hidden"] * 3
    )
    await relay.stop()
    relay.missing = False
    await relay.start()
    await browser.until("document.querySelectorAll('.missing').length", 0)
    assert await browser.texts(gone) == []


async def test_files_elsewhere_are_not_loaded(browser: Browser, relay: StubRelay) -> None:
    files = [
        {"filename": "x", "media": "image", "url": url, "path": None}
        for url in ("https://example.org/x.png", "javascript:alert(1)", "//example.org/x", None)
    ]
    relay.jobs = [image(index=1, outputs=files), image(index=2)]
    relay.batches = [batch()]
    await browser.open(relay.url)
    await browser.until("document.querySelectorAll('article').length", 1)
    links = "[...document.querySelectorAll('article a')].filter((a) => a.checkVisibility()).map((a) => a.pathname)"
    assert await browser.run(links) == ["/api/view/b1-p2/0"]


async def test_a_file_that_is_no_picture_is_a_link(browser: Browser, relay: StubRelay) -> None:
    video = {"filename": f"a fox {HOSTILE}.mp4", "media": "video", "url": "/api/view/b1-p1/0", "path": None}
    relay.jobs = [image(index=1, outputs=[video])]
    relay.batches = [batch(status="done", total=1, counts={"done": 1}, progress=None)]
    await browser.open(relay.url)
    await browser.until_text(".files li", f"Image 1, video: a fox {HOSTILE}.mp4")
    assert await browser.run("document.querySelector('.files a').pathname") == "/api/view/b1-p1/0"
    assert (
        await browser.run("document.querySelectorAll('img').length + document.querySelectorAll('.files img').length")
        == 1
    )
    assert await browser.texts(".picture, .thumbnail") == []
