"""The relay's page in a browser: what it shows of batches, and what it makes of hostile text."""

import re
from typing import Any

import pytest

from tests.browser.browser import Browser
from tests.browser.page import HOSTILE, LINE
from tests.browser.stub_relay import Json, StubRelay, batch, end, image, progress


async def test_a_running_batch_is_shown_with_both_bars(browser: Browser, relay: StubRelay) -> None:
    relay.batches, relay.jobs = [batch()], [image(index=1)]
    await browser.open(relay.url)
    await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
    assert await browser.texts("h3") == ["a red fox in fresh snow"]
    await browser.until_text("#server", "gpu-box")
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
        "Image 4 lost: no longer on the server",
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
