"""A headless chromium, driven over WebDriver from threads beside the event loop."""

import asyncio
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.waiting import TIMEOUT

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
UNAVAILABLE = "" if CHROMIUM and DRIVER else "no chromium with its chromedriver is installed"
"""Why no browser can be driven; empty if one can."""
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server")


class Browser:
    """One tab."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    async def open(self, url: str) -> None:
        await asyncio.to_thread(self._driver.get, url)

    async def run(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        return await asyncio.to_thread(self._driver.execute_script, f"return {expression}")

    async def command(self, name: str, **parameters: Any) -> Any:
        """Give a command of the DevTools protocol."""
        return await asyncio.to_thread(self._driver.execute_cdp_cmd, name, parameters)

    async def texts(self, selector: str) -> list[str]:
        """Return the text of each element that is shown."""
        shown = f"[...document.querySelectorAll({selector!r})].filter((node) => node.checkVisibility())"
        return [str(text) for text in await self.run(f"{shown}.map((node) => node.textContent)")]

    async def until(self, expression: str, value: Any = True) -> None:
        """Wait until an expression has a value."""
        over = time.monotonic() + TIMEOUT
        while (found := await self.run(expression)) != value:
            assert time.monotonic() < over, f"{expression} is {found!r}, not {value!r}"
            await asyncio.sleep(0.02)

    async def until_text(self, selector: str, text: str) -> None:
        """Wait until the first element has a text."""
        await self.until(f"document.querySelector({selector!r})?.textContent", text)

    async def errors(self) -> list[str]:
        """Return the messages of the console about errors of scripts and of the content security policy."""
        entries = await asyncio.to_thread(self._driver.get_log, "browser")
        return [entry["message"] for entry in entries if entry["source"] not in {"network"}]


@contextmanager
def running_chromium(folder: Path) -> Iterator[Browser]:
    """Run a browser with its profile in a folder."""
    driver = _start(folder)
    try:
        yield Browser(driver)
    finally:
        driver.quit()


def _start(folder: Path) -> Any:
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for option in (*OPTIONS, f"--user-data-dir={folder}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return Chrome(options, ChromeService(str(DRIVER), env={**os.environ, "HOME": str(folder)}))
