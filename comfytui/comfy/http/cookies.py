"""Cookies set by a server or a proxy in front of it: a few small ones, kept in memory until the program ends."""

from http.cookiejar import Cookie, CookieJar
from urllib.request import Request

MAX_COOKIES = 32
"""Cookies that are kept, the newest."""
MAX_COOKIE_SIZE = 4_096
"""Characters of one cookie; a larger one is not kept, as in browsers."""
MAX_TOTAL_SIZE = 7_500
"""Characters of all cookies: each request carries them, and most servers reject headers of more than 8 kB."""


class BoundedCookieJar(CookieJar):
    """A cookie jar with limits on number and size, since each request sends all cookies back."""

    snapshot: tuple[tuple[str, str], ...] = ()
    """Names and values of the cookies as of the last change; may be read from any thread."""

    def set_cookie(self, cookie: Cookie) -> None:
        """Keep a cookie, and evict the oldest ones beyond the limits."""
        if _size(cookie) > MAX_COOKIE_SIZE:
            return
        super().set_cookie(cookie)
        self._evict()
        self.snapshot = tuple((kept.name, kept.value or "") for kept in self)

    def _evict(self) -> None:
        kept = list(self)
        size = sum(map(_size, kept))
        for oldest in kept[:-1]:
            if len(kept) <= MAX_COOKIES and size <= MAX_TOTAL_SIZE:
                return
            kept = kept[1:]
            size -= _size(oldest)
            self.clear(oldest.domain, oldest.path, oldest.name)

    def header_for(self, url: str) -> str | None:
        """Return the value of the `Cookie` header for a URL, or None if no cookie applies."""
        request = Request(url)
        self.add_cookie_header(request)
        return request.get_header("Cookie")


def _size(cookie: Cookie) -> int:
    return sum(len(text or "") for text in (cookie.name, cookie.value, cookie.path, cookie.domain))
