"""A headless chromium, driven over WebDriver from threads beside the event loop."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.browser.browser import Browser

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
UNAVAILABLE = "" if CHROMIUM and DRIVER else "no chromium with its chromedriver is installed"
"""Why no browser can be driven; empty if one can."""
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server")


class Chromium(Browser):
    """One tab of chromium."""

    async def delete_cookies(self) -> None:
        await self.command("Network.clearBrowserCookies")

    async def errors(self) -> list[str]:
        entries = await asyncio.to_thread(self._driver.get_log, "browser")
        return [entry["message"] for entry in entries if entry["source"] != "network"]

    async def command(self, name: str, **parameters: Any) -> Any:
        """Give a command of the DevTools protocol."""
        return await asyncio.to_thread(self._driver.execute_cdp_cmd, name, parameters)

    async def press_tab(self) -> None:
        """Press the tab key."""
        for kind in ("keyDown", "keyUp"):
            await self.command("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)


@contextmanager
def running_chromium(folder: Path) -> Iterator[Chromium]:
    """Run a browser with its profile in a folder."""
    driver = _start(folder)
    try:
        yield Chromium(driver)
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
