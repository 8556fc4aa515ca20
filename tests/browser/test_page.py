"""The relay's page in a browser: what it shows, what it makes of hostile text, and how it comes back."""

import asyncio
import re
from base64 import b64decode
from collections.abc import AsyncIterator
from io import BytesIO
from itertools import count
from typing import Any

import pytest
from PIL import Image

from tests.browser.browser import Browser
from tests.browser.chromium import Chromium
from tests.browser.stub_relay import Json, StubRelay, batch, end, image, jpeg, progress
from tests.waiting import eventually

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
LINE = "#front .line span"
HIDE = "void Object.defineProperty(document, 'hidden', {value: true})"


@pytest.fixture
async def relay(browser: Browser) -> AsyncIterator[StubRelay]:
    relay = StubRelay()
    await relay.start()
    try:
        yield relay
    finally:
        await browser.open("about:blank")
        await relay.stop()


async def test_a_running_batch_is_shown_with_both_bars(browser: Browser, relay: StubRelay) -> None:
    relay.batches, relay.jobs = [batch()], [image(index=1)]
    await browser.open(relay.url)
    await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
    assert await browser.texts("h3") == ["a red fox in fresh snow"]
    assert await browser.texts("#server, #link, #queue") == ["gpu-box", "live", "queue 3"]
    phase, times = await browser.texts(".figures span")
    assert phase == "KSampler · sampling · 5.9 it/s"
    assert re.fullmatch(r"0:\d\d elapsed · 0:0\d left", times)
    bars = "[...document.querySelectorAll('progress')].map((bar) => [bar.ariaLabel, bar.value, bar.ariaValueText])"
    assert await browser.run(bars) == [
        ["image", 0.55, "Image 2 of 4 - Step 12/20 (60%)"],
        ["batch", 0.39, "1 of 4 done"],
    ]
    assert await browser.run("document.title") == "Image 2 of 4 - Step 12/20 (60%) · comfytui"
    assert await browser.errors() == []


async def test_events_move_the_bars_and_add_pictures(browser: Browser, relay: StubRelay) -> None:
    relay.batches, relay.jobs = [batch()], [image(index=1)]
    await browser.open(relay.url)
    await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
    relay.send(progress(currentStep=20, percentage=100), image(index=2), progress(imageIndex=3, currentStep=1))
    await browser.until_text(LINE, "Image 3 of 4 - Step 1/20 (60%)")
    pictures = "[...document.querySelectorAll('#front img')].map((each) => each.getAttribute('src'))"
    await browser.until(
        pictures,
        ["/api/view/b1-p2/0?width=1024", "/api/view/b1-p1/0?width=192", "/api/view/b1-p2/0?width=192"],
    )


async def test_the_times_count_on_between_events(browser: Browser, relay: StubRelay) -> None:
    times = "#front .figures span:last-child"
    relay.batches = [batch()]
    await browser.open(relay.url)
    await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
    await browser.run("(performance.now = () => window.clock, window.clock = 0)")
    relay.send(progress(currentStep=13, elapsedSeconds=9.4, leftSeconds=2.2))
    await browser.until_text(times, "0:09 elapsed · 0:02 left")
    await browser.run("window.clock = 700")
    await browser.until_text(times, "0:10 elapsed · 0:01 left")
    await browser.run("window.clock = 9000")
    await browser.until_text(times, "0:18 elapsed · 0:00 left")
    relay.send(progress(currentStep=14, elapsedSeconds=19.0, leftSeconds=5.0))
    await browser.until_text(times, "0:19 elapsed · 0:05 left")
    relay.send(progress(currentStep=14, elapsedSeconds=19.0, leftSeconds=5.0, link="offline"))
    await browser.until_text("#link", "offline")
    await browser.run("window.clock = 99000")
    relay.send(image(index=1))
    await browser.until("document.querySelectorAll('#front img').length > 0")
    assert await browser.texts(times) == ["0:19 elapsed · 0:05 left"]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"currentStep": None, "imageFraction": None, "phase": None}, "Image 2 of 4 - step unknown"),
        ({"currentStep": None, "phase": "loading model"}, "Image 2 of 4 - loading model"),
        ({"status": "queued", "ahead": 3}, "Image 2 of 4 - queued, 3 ahead"),
        ({"status": "queued"}, "Image 2 of 4 - queued, next"),
        ({"status": "sending"}, "Image 2 of 4 - sending"),
    ],
)
async def test_the_line_says_what_is_known(
    browser: Browser, relay: StubRelay, values: dict[str, Any], line: str
) -> None:
    relay.batches = [batch(progress=progress(**values))]
    await browser.open(relay.url)
    await browser.until_text(LINE, line)


async def test_an_end_is_announced_and_the_stream_stays(browser: Browser, relay: StubRelay) -> None:
    relay.batches = [batch(), batch("b2", "a lighthouse", progress=progress("b2", status="queued"))]
    await browser.open(relay.url)
    await browser.until("document.querySelectorAll('#front article').length", 2)
    assert await browser.run("document.querySelector('#announcement').textContent") == ""
    relay.send(*(image(index=index) for index in range(1, 5)), end())
    await browser.until_text("#ended .line span", "4 of 4 done")
    await browser.until_text("#announcement", "a red fox in fresh snow: done, 4 of 4 done")
    assert await browser.texts("#front h3") == ["a lighthouse"]
    relay.send(progress("b2", imageIndex=1, currentStep=7))
    await browser.until_text(LINE, "Image 1 of 4 - Step 7/20 (60%)")


async def test_failures_and_lost_images_have_their_reason(browser: Browser, relay: StubRelay) -> None:
    error = {"message": "CUDA out of memory", "node": "KSampler", "nodeId": "3", "inputs": []}
    failed = [image(index=index, status="failed", error=error, outputs=[]) for index in (3, 2)]
    relay.jobs = [image(index=1), *failed, image(index=4, status="lost", outputs=[])]
    relay.batches = [batch(status="failed", counts={"done": 1, "failed": 2, "lost": 1}, progress=None)]
    await browser.open(relay.url)
    await browser.until_text(LINE, "1 of 4 done, 2 failed, 1 lost")
    assert await browser.texts(".problems li") == [
        "Images 2, 3 failed: KSampler: CUDA out of memory",
        "Image 4 lost: the server no longer knows it",
    ]
    assert await browser.texts("#empty") == ["None of your jobs is running"]
    # Red is for what failed only.
    assert await browser.run("[...document.querySelectorAll('.problems li')].map((each) => each.className)") == [
        "bad",
        "warning",
    ]


async def test_a_long_reason_is_folded(browser: Browser, relay: StubRelay) -> None:
    trace = "CUDA error\n" + "  File x.py, in f\n" * 90 + "x" * 9_000
    error: Json = {"message": f"\x1b[31m\u202e{trace}", "node": None, "nodeId": None, "inputs": []}
    relay.jobs = [image(index=1, status="failed", error=error, outputs=[])]
    relay.batches = [batch(status="failed", total=1, counts={"failed": 1}, progress=None)]
    await browser.open(relay.url)
    await browser.until_text(LINE, "0 of 1 done, 1 failed")
    (text,) = await browser.texts(".problems summary")
    assert text.startswith("Failed: CUDA error\n  File x.py")
    assert len(text) < 4_100
    height = "document.querySelector('.problems').getBoundingClientRect().height"
    assert await browser.run(height) < 100
    await browser.run("document.querySelector('.problems summary').click()")
    await browser.until(f"{height} > 1000")


async def test_what_is_not_listed_is_counted(browser: Browser, relay: StubRelay) -> None:
    relay.batches = [batch(f"e{each}", status="done", progress=None) for each in range(40)]
    relay.batches += [batch(f"q{each}", progress=progress(f"q{each}", status="queued")) for each in range(23)]
    await browser.open(relay.url)
    await browser.until_text("#ended > .more", "and 20 older")
    assert await browser.texts("#front > .more") == ["and 3 waiting"]


async def test_the_page_says_why_the_server_is_away(browser: Browser, relay: StubRelay) -> None:
    relay.batches = [batch()]
    await browser.open(relay.url)
    await browser.until_text("#link", "live")
    relay.link, relay.reason = "offline", "Nothing listens at gpu-box:8188."
    relay.send(progress(link="offline"))
    await browser.until_text("#notice", "Nothing listens at gpu-box:8188.")
    await browser.until_text("#announcement", "Nothing listens at gpu-box:8188.")
    relay.link, relay.reason = "live", ""
    relay.send(progress(link="live"))
    await browser.until("document.querySelector('#notice').hidden")
    await browser.until_text("#announcement", "Connection: live")


async def test_nothing_is_said_to_run_only_as_far_as_is_known(browser: Browser, relay: StubRelay) -> None:
    relay.link, relay.reason = "offline", "Nothing listens at gpu-box:8188."
    await browser.open(relay.url)
    await browser.until_text("#empty", "None of your jobs is running, as last seen")
    assert await browser.texts("#queue") == []


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


async def test_text_of_the_server_is_never_markup(browser: Browser, relay: StubRelay) -> None:
    error = {"message": HOSTILE, "node": HOSTILE, "nodeId": None, "inputs": [HOSTILE]}
    relay.jobs = [image(index=1, status="failed", error=error, outputs=[])]
    relay.batches = [batch(title=HOSTILE, progress=progress(phase=HOSTILE, node=HOSTILE, status="queued"))]
    await browser.open(relay.url)
    await browser.until_text("h3", HOSTILE)
    assert HOSTILE in (await browser.texts(".problems li"))[0]
    relay.send(end(how="failed", failed=4))
    await browser.until_text("#announcement", f"{HOSTILE}: failed, 0 of 4 done, 4 failed")
    assert await browser.run("document.querySelectorAll('article img[src=x], article script').length") == 0
    assert await browser.run("document.title") == "comfytui"
    assert await browser.errors() == []


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


async def test_the_page_comes_back_after_the_relay_restarts(browser: Browser, relay: StubRelay) -> None:
    relay.batches = [batch()]
    await browser.open(relay.url)
    await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
    await relay.stop()
    await browser.until_text("#notice", "Connection to the relay lost, trying again")
    assert await browser.texts(".seen") == ["as last seen"]
    assert await browser.texts("#link") == ["relay lost"]
    assert await browser.run("document.title") == "comfytui"
    relay.batches = [batch(progress=progress(imageIndex=4, currentStep=3))]
    await relay.start()
    await browser.until_text(LINE, "Image 4 of 4 - Step 3/20 (60%)")
    await browser.until("document.querySelector('#notice').hidden")
    assert await browser.texts(".seen") == []
    assert relay.followers == 1


async def test_the_queue_is_polled_while_the_relay_refuses_streams(browser: Browser, relay: StubRelay) -> None:
    relay.refuses_streams = True
    relay.batches = [batch()]
    await browser.open(relay.url)
    await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
    await browser.until_text("#link", "no live events")
    assert await browser.texts(".seen") == []
    relay.batches = [batch(progress=progress(currentStep=13))]
    await browser.until_text(LINE, "Image 2 of 4 - Step 13/20 (60%)")
    relay.refuses_streams = False
    await browser.until_text("#link", "live")


async def test_an_end_that_was_missed_is_announced(browser: Browser, relay: StubRelay) -> None:
    relay.batches = [batch()]
    await browser.open(relay.url)
    await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
    await relay.stop()
    relay.batches = [batch(status="cancelled", counts={"done": 1, "cancelled": 3}, progress=None)]
    await relay.start()
    await browser.until_text("#announcement", "a red fox in fresh snow: cancelled, 1 of 4 done, 3 cancelled")


async def test_a_batch_that_the_queue_does_not_list_is_asked_for_once(browser: Browser, relay: StubRelay) -> None:
    relay.batches = [batch()]
    await browser.open(relay.url)
    await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
    before = relay.requests.count("/api/queue")
    for step in range(10):
        relay.send(progress("unlisted", currentStep=step), progress(currentStep=step))
        await eventually(lambda: relay.requests.count("/api/queue") > before, "the question")
    await browser.until("document.querySelector('#front .line span').textContent.includes('Step 9/')")
    assert relay.requests.count("/api/queue") == before + 1


async def test_what_is_not_observed_is_as_last_seen(browser: Browser, relay: StubRelay) -> None:
    relay.batches = [batch()]
    await browser.open(relay.url)
    await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
    relay.send(progress(link="offline"))
    await browser.until_text("#link", "offline")
    assert await browser.texts(".seen") == ["as last seen"]
    relay.send(progress(link="live"))
    await browser.until_text("#link", "live")
    assert await browser.texts(".seen") == []


async def test_the_title_goes_on_in_the_background(browser: Browser, relay: StubRelay) -> None:
    relay.batches = [batch()]
    await browser.open(relay.url)
    await browser.until("document.title", "Image 2 of 4 - Step 12/20 (60%) · comfytui")
    await browser.run(
        "(window.requestAnimationFrame = () => 0, Object.defineProperty(document, 'hidden', {value: true}))"
    )
    await browser.run("document.dispatchEvent(new Event('visibilitychange'))")
    relay.send(progress(currentStep=13))
    await browser.until("document.title", "Image 2 of 4 - Step 13/20 (60%) · comfytui")
    relay.send(end())
    await browser.until("document.title", "comfytui")


async def test_a_batch_that_is_new_is_read_from_the_queue(browser: Browser, relay: StubRelay) -> None:
    await browser.open(relay.url)
    await eventually(lambda: relay.followers, "the stream")
    await browser.until("document.querySelector('#empty').textContent !== ''")
    relay.batches = [batch("new", "a harbour", progress=progress("new"))]
    relay.send(progress("new"))
    await browser.until_text("h3", "a harbour")


async def test_the_number_of_elements_is_bounded(browser: Browser, relay: StubRelay) -> None:
    relay.jobs = [image(index=index, totalImages=90) for index in range(1, 91)]
    relay.batches = [batch(f"e{each}", status="done", progress=None) for each in range(90)]
    relay.batches.append(batch(total=100))
    await browser.open(relay.url)
    await browser.until_text(".more", "and 66 more")
    assert await browser.run("document.querySelectorAll('.thumbnail').length") == 24
    assert await browser.run("document.querySelectorAll('article').length") == 21


async def test_only_what_changed_is_touched(browser: Browser, relay: StubRelay) -> None:
    relay.batches = [batch(), batch("b2", progress=progress("b2", status="queued"))]
    await browser.open(relay.url)
    await browser.until("document.querySelectorAll('article').length", 2)
    await browser.run(
        "(window.touched = [], new MutationObserver((all) => touched.push(...all.map((each) =>"
        " each.target.closest?.('article')?.dataset.id + ' ' + each.target.className)))"
        ".observe(document.querySelector('main'), {subtree: true, childList: true, attributes: true}))"
    )
    relay.send(*(progress(currentStep=step) for step in range(13, 18)))
    await browser.until_text(LINE, "Image 2 of 4 - Step 17/20 (60%)")
    assert set(await browser.run("window.touched")) <= {"b1 line", "b1 "}


SUBMIT = "(document.querySelector('#token').value = {!r}, document.querySelector('#login').requestSubmit())"


@pytest.fixture
async def locked_relay(browser: Browser) -> AsyncIterator[StubRelay]:
    await browser.delete_cookies()
    relay = StubRelay(token="the right one")
    await relay.start()
    try:
        yield relay
    finally:
        await browser.open("about:blank")
        await relay.stop()


async def log_in(browser: Browser, relay: StubRelay) -> None:
    await browser.open(relay.url)
    await browser.until("document.querySelector('#login').checkVisibility()")
    await browser.run(SUBMIT.format("the right one"))
    await browser.until("document.querySelector('#new').checkVisibility()")


async def test_a_relay_with_a_token_asks_for_it(browser: Browser, locked_relay: StubRelay) -> None:
    locked_relay.batches = [batch()]
    await browser.open(locked_relay.url)
    await browser.until("document.querySelector('#login').checkVisibility()")
    await browser.until_text("#link", "login needed")
    await browser.run(SUBMIT.format("wrong"))
    await browser.until_text("#login-error", "This is not the token of the relay.")
    await browser.run(SUBMIT.format("the right one"))
    await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
    assert not await browser.run("document.querySelector('#login').checkVisibility()")
    assert not [path for path in locked_relay.requests if "right" in path]


async def test_a_login_that_has_ended_is_asked_for_again(browser: Browser, locked_relay: StubRelay) -> None:
    locked_relay.batches = [batch()]
    await browser.open(locked_relay.url)
    await browser.until("document.querySelector('#login').checkVisibility()")
    await browser.run(SUBMIT.format("the right one"))
    await browser.until_text("#queue", "queue 3")
    await locked_relay.stop()
    await browser.until("document.querySelector('#notice').checkVisibility()")
    await browser.delete_cookies()
    await locked_relay.start()
    await browser.until_text("#link", "login needed")
    assert await browser.texts("#notice, #queue, .seen") == ["as last seen"]


async def test_the_token_is_asked_for_when_a_request_is_refused(browser: Browser, locked_relay: StubRelay) -> None:
    await log_in(browser, locked_relay)
    await browser.run("(document.querySelector('#new').open = true, document.querySelector('#prompt').value = 'a fox')")
    await browser.delete_cookies()
    # In the background, the page asks for the server no more.
    await browser.run(HIDE)
    await browser.run("document.querySelector('#generate').requestSubmit()")
    await browser.until("document.querySelector('#login').checkVisibility()")
    await browser.run(SUBMIT.format("the right one"))
    await browser.until("document.querySelector('#prompt').checkVisibility()")
    assert await browser.run("document.querySelector('#prompt').value") == "a fox"
    assert not locked_relay.generated


async def test_who_has_logged_in_may_cancel_the_rest_of_a_batch(browser: Browser, locked_relay: StubRelay) -> None:
    states = {1: "done", 2: "running", 3: "queued", 4: "queued"}
    locked_relay.batches = [batch()]
    locked_relay.jobs = [image(index=index, status=status, outputs=[]) for index, status in states.items()]
    await browser.open(locked_relay.url)
    await browser.until("document.querySelector('#login').checkVisibility()")
    await browser.run(SUBMIT.format("the right one"))
    await browser.until("document.querySelector('.actions')?.checkVisibility()")
    await browser.run("document.querySelector('.actions button').click()")
    assert await browser.texts(".actions button") == ["Cancel all that is left?"]
    assert not locked_relay.cancelled
    await browser.run("document.querySelector('.actions button').click()")
    await eventually(lambda: locked_relay.cancelled == ["b1-p4", "b1-p3", "b1-p2"], "the cancellations")
    await browser.open(locked_relay.url)
    await browser.until("document.querySelector('.actions')?.checkVisibility()")


async def test_who_has_logged_in_may_cancel_one_image(browser: Browser, locked_relay: StubRelay) -> None:
    states = {1: "done", 2: "running", 3: "queued", 4: "queued"}
    locked_relay.batches = [batch()]
    locked_relay.jobs = [image(index=index, status=status, outputs=[]) for index, status in states.items()]
    await log_in(browser, locked_relay)
    await browser.until_text(".left summary", "3 images left")
    await browser.run("document.querySelector('.left summary').click()")
    await browser.until("document.querySelectorAll('.left li').length", 3)
    assert await browser.texts(".left li > :first-child") == ["Image 2, running", "Image 3, queued", "Image 4, queued"]
    button = ".left li:nth-child(2) button"
    assert await browser.texts(button) == ["Cancel image 3"]
    await browser.run(f"(document.querySelector({button!r}).focus(), document.activeElement.click())")
    assert await browser.texts(button) == ["Sure? image 3"]
    assert not locked_relay.cancelled
    await browser.run("document.activeElement.click()")
    await eventually(lambda: locked_relay.cancelled == ["b1-p3"], "the cancellation")
    locked_relay.send(image(index=3, status="cancelled", outputs=[]))
    await browser.until_text(".left summary", "2 images left")
    assert await browser.texts(".left li > :first-child") == ["Image 2, running", "Image 4, queued"]
    assert await browser.run("document.activeElement.closest('article').dataset.id") == "b1"
    locked_relay.send(image(index=2), progress(imageIndex=4, promptId="b1-p4", currentStep=1))
    await browser.until_text(LINE, "Image 4 of 4 - Step 1/20 (60%)")
    assert await browser.texts(".left") == []


async def test_the_focus_stays_in_a_batch_that_moves(browser: Browser, relay: StubRelay) -> None:
    relay.batches = [batch(), batch("b2", "a lighthouse", progress=progress("b2", status="queued"))]
    relay.jobs = [image(index=1)]
    await browser.open(relay.url)
    await browser.until("document.querySelectorAll('#front article').length", 2)
    await browser.run("document.querySelector('[data-id=b1] summary').focus()")
    relay.send(image(index=2), image(index=3), image(index=4), end())
    await browser.until_text("#ended .line span", "4 of 4 done")
    assert await browser.run("document.activeElement === document.querySelector('[data-id=b1] summary')")


async def test_who_has_logged_in_may_make_images(browser: Browser, locked_relay: StubRelay) -> None:
    locked_relay.answers = [(503, {"error": "ComfyUI cannot be reached (offline): nothing was saved.", "saved": False})]
    await browser.open(locked_relay.url)
    await browser.until("document.querySelector('#login').checkVisibility()")
    await browser.run(SUBMIT.format("the right one"))
    await browser.until("document.querySelector('#new').checkVisibility()")
    await browser.run("(document.querySelector('#new').open = true, document.querySelector('#prompt').value = 'a fox')")
    await browser.run("document.querySelector('#images').value = 3")
    submit = "document.querySelector('#generate').requestSubmit()"
    await browser.run(submit)
    await browser.until_text("#generate-said", "ComfyUI cannot be reached (offline): nothing was saved.")
    await browser.run(submit)
    await browser.until_text("#generate-said", "Queued")
    await browser.run(submit)
    await eventually(lambda: len(locked_relay.generated) == 3, "the third request")
    keys, bodies = zip(*locked_relay.generated, strict=True)
    assert bodies == ({"values": {"prompt": "a fox"}, "images": 3},) * 3
    assert keys[0] == keys[1] != keys[2]


async def test_a_request_is_queued_only_while_its_images_wait(browser: Browser, locked_relay: StubRelay) -> None:
    locked_relay.answers = [(202, {"batchId": "b1"})] * 2
    locked_relay.batches = [batch(progress=progress(status="queued"))]
    await log_in(browser, locked_relay)
    await browser.run("document.querySelector('#new').open = true")
    await browser.run("document.querySelector('#prompt').value = 'a fox'")
    await browser.run("document.querySelector('#generate').requestSubmit()")
    await browser.until_text("#generate-said", "Queued")
    await browser.run("(window.start = performance.now(), performance.now = () => window.start + 60_000)")
    await browser.run("new Promise((done) => setTimeout(done, 500))")
    assert await browser.texts("#generate-said") == ["Queued"]
    locked_relay.send(progress(status="running"))
    await browser.until_text("#generate-said", "")
    await browser.run("document.querySelector('#generate').requestSubmit()")
    await browser.until_text("#generate-said", "Queued")
    await browser.run("document.querySelector('#prompt').dispatchEvent(new Event('input', {bubbles: true}))")
    await browser.until_text("#generate-said", "")


async def test_what_is_typed_stays_while_the_relay_is_away(browser: Browser, locked_relay: StubRelay) -> None:
    await log_in(browser, locked_relay)
    await browser.run("(document.querySelector('#new').open = true, document.querySelector('#prompt').focus())")
    await browser.run("document.querySelector('#prompt').value = 'a fo'")
    await locked_relay.stop()
    await browser.until("document.querySelector('#notice').checkVisibility()")
    assert await browser.run("[document.activeElement.id, document.activeElement.value]") == ["prompt", "a fo"]
    await browser.run("document.querySelector('#generate').requestSubmit()")
    await browser.until_text("#generate-said", "The relay is not reached")


async def test_without_a_login_the_page_only_shows(browser: Browser, relay: StubRelay) -> None:
    relay.batches = [batch()]
    await browser.open(relay.url)
    await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
    assert await browser.texts("button") == []
