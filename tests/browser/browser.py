"""A tab of a browser, driven over WebDriver from threads beside the event loop."""

import asyncio
import time
from abc import ABC, abstractmethod
from typing import Any

from tests.waiting import TIMEOUT


class Browser(ABC):
    """One tab.

    Args:
        driver: Opens pages and runs scripts in them, as Selenium's do.
    """

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    @abstractmethod
    async def delete_cookies(self) -> None:
        """Delete all cookies: a browser sends them to every port of a host."""

    @abstractmethod
    async def errors(self) -> list[str]:
        """Return the messages about errors of scripts and of the content security policy since the last call."""

    async def open(self, url: str) -> None:
        """Open a page."""
        await asyncio.to_thread(self._driver.get, url)

    async def run(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        return await asyncio.to_thread(self._driver.execute_script, f"return {expression}")

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
