"""The relay's page on a phone and on a wide screen, dark and light: nothing sticks out, and all text can be read."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.browser.chromium import UNAVAILABLE, Chromium, running_chromium
from tests.browser.stub_relay import StubRelay, batch, image, progress

pytestmark = pytest.mark.skipif(bool(UNAVAILABLE), reason=UNAVAILABLE)
SIZES = [(390, 844), (1280, 800)]
MIN_CONTRAST = 4.5
"""What WCAG 2 (AA) asks of text."""
LONG = ("/models/checkpoints/" + "a-name-without-any-space_" * 20, "雪の中の赤い狐" * 40, "شمال شرق " * 40)
BACKGROUNDS = {"dark": "rgb(20, 22, 27)", "light": "rgb(246, 245, 242)"}

UNFOLDED = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
STICKING_OUT = """(() => {
    // The layout's width: that of the window grows on a phone with what sticks out.
    const page = document.documentElement.clientWidth;
    const found = [...document.body.querySelectorAll("*")].filter((node) => {
        if (!node.checkVisibility({ visibilityProperty: true }) || node.closest(".unseen")) return false;
        const { left, right, width } = node.getBoundingClientRect();
        return width > 0 && (left < -0.5 || right > page + 0.5);
    }).map((node) => `${node.tagName} ${node.className}`);
    const scrolled = document.scrollingElement.scrollWidth;
    if (scrolled > page) found.push(`the page: ${scrolled} of ${page}`);
    return found;
})()"""
"""What is outside of the window to the left or to the right."""
CONTRASTS = """(() => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    /** Return the colour of a pixel that is painted with these colours, one over the other. */
    const painted = (colours) => {
        canvas.clearRect(0, 0, 1, 1);
        for (const [colour, opacity] of colours) {
            canvas.globalAlpha = opacity;
            canvas.fillStyle = colour;
            canvas.fillRect(0, 0, 1, 1);
        }
        return canvas.getImageData(0, 0, 1, 1).data;
    };
    const luminance = ([red, green, blue]) => {
        const [r, g, b] = [red, green, blue].map((value) => value / 255)
            .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrastOf = (node) => {
        const grounds = [];
        let opacity = 1;
        for (let each = node; each; each = each.parentElement) {
            const style = getComputedStyle(each);
            opacity *= style.opacity;
            grounds.unshift([style.backgroundColor, 1]);
        }
        const text = [...grounds, [getComputedStyle(node).color, opacity]];
        const [dark, light] = [text, grounds].map(painted).map(luminance).sort((a, b) => a - b);
        return (light + 0.05) / (dark + 0.05);
    };
    const hasText = (node) => node.matches("input, textarea") ||
        [...node.childNodes].some((each) => each.nodeType === Node.TEXT_NODE && each.data.trim());
    const isShown = (node) => node.checkVisibility({ visibilityProperty: true }) && !node.closest(".unseen");
    return [...document.body.querySelectorAll("*")].filter((node) => isShown(node) && hasText(node))
        .map((node) => [node.tagName, node.id, node.className, node.textContent.slice(0, 40), contrastOf(node)]);
})()"""
"""The contrast of each text that is shown with what is painted under it."""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with running_chromium(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def size(request: pytest.FixtureRequest, chromium: Chromium) -> AsyncIterator[tuple[int, int]]:
    width, height = request.param
    await chromium.command(
        "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
    )
    yield width, height
    await chromium.command("Emulation.clearDeviceMetricsOverride")


@pytest.fixture(params=BACKGROUNDS)
async def scheme(request: pytest.FixtureRequest, chromium: Chromium) -> str:
    features = [{"name": "prefers-color-scheme", "value": request.param}]
    await chromium.command("Emulation.setEmulatedMedia", features=features)
    return str(request.param)


@pytest.fixture
async def browser(chromium: Chromium, size: tuple[int, int], scheme: str) -> AsyncIterator[Chromium]:
    """A browser with a window of this size, for a user who prefers this scheme."""
    await chromium.delete_cookies()
    yield chromium
    await chromium.open("about:blank")


async def opened(browser: Chromium, relay: StubRelay, size: tuple[int, int], scheme: str) -> None:
    await browser.open(relay.url)
    assert await browser.run(f"matchMedia('(width: {size[0]}px)').matches")
    assert await browser.run("getComputedStyle(document.body).backgroundColor") == BACKGROUNDS[scheme]


async def check(browser: Chromium) -> None:
    """Check what is shown now."""
    assert await browser.run(STICKING_OUT) == []
    contrasts = await browser.run(CONTRASTS)
    assert contrasts
    assert [each for each in contrasts if each[-1] < MIN_CONTRAST] == []


async def test_batches_of_every_kind_fit_and_can_be_read(browser: Chromium, size: tuple[int, int], scheme: str) -> None:
    error = {"message": "CUDA out of memory: " + LONG[0], "node": "KSampler" * 30, "nodeId": "3", "inputs": [*LONG]}
    relay = StubRelay()
    relay.name = LONG[0]
    relay.jobs = [image(index=index, totalImages=90) for index in range(1, 40)]
    relay.jobs += [image("failed", index=1, status="failed", error=error, outputs=[])]
    relay.jobs += [image("lost", index=1, status="lost", outcome="lost", outputs=[]), image("done", index=1)]
    relay.batches = [
        batch("lost", LONG[2], status="lost", counts={"lost": 4}, progress=None),
        batch("failed", LONG[1], status="failed", counts={"failed": 1, "done": 3}, progress=None),
        batch("cancelled", status="cancelled", counts={"cancelled": 4}, progress=None),
        batch("done", status="done", counts={"done": 4}, progress=None),
        batch("queued", LONG[0], progress=progress("queued", status="queued", ahead=19_999)),
        batch("b1", LONG[0], total=90, progress=progress(node="KSamplerAdvanced" * 20, phase="decoding " * 9)),
    ]
    await relay.start()
    try:
        await opened(browser, relay, size, scheme)
        await browser.until("document.querySelectorAll('article').length", 6)
        await browser.until("document.querySelectorAll('#front .thumbnail').length", 24)
        await check(browser)
        await browser.run(UNFOLDED)
        await check(browser)
        relay.send(progress(link="offline"))
        await browser.until_text("#link", "offline")
        await check(browser)
    finally:
        await relay.stop()
    await browser.until_text("#link", "relay lost")
    await check(browser)


async def test_the_login_and_the_forms_fit_and_can_be_read(
    browser: Chromium, size: tuple[int, int], scheme: str
) -> None:
    relay = StubRelay(token="the right one")
    relay.answers = [(503, {"error": f"ComfyUI cannot be reached: {LONG[0]}.", "saved": False})]
    relay.batches, relay.missing = [batch()], True
    relay.jobs = [image(index=1), image(index=2, status="running", outputs=[])]
    relay.jobs += [image(index=index, status="queued", outputs=[]) for index in (3, 4)]
    submit = "(document.querySelector('#token').value = {!r}, document.querySelector('#login').requestSubmit())"
    await relay.start()
    try:
        await opened(browser, relay, size, scheme)
        await browser.until("document.querySelector('#login').checkVisibility()")
        await check(browser)
        await browser.run(submit.format("wrong"))
        await browser.until_text("#login-error", "This is not the token of the relay.")
        await check(browser)
        await browser.run(submit.format("the right one"))
        await browser.until("document.querySelector('.actions')?.checkVisibility()")
        await browser.run(UNFOLDED)
        await browser.run(f"(document.querySelector('#prompt').value = {LONG[1]!r})")
        await browser.run("document.querySelector('.actions button').click()")
        await check(browser)
        await browser.run("document.querySelector('#generate').requestSubmit()")
        await browser.until("document.querySelector('#generate-said').textContent.startsWith('ComfyUI cannot')")
        await check(browser)
    finally:
        await relay.stop()
