"""The cookies that a server or a proxy before it sets: a few small ones, kept for the session of the program."""

from http.cookiejar import Cookie, CookieJar
from urllib.request import Request

COOKIES = 32
"""Cookies that are kept, the newest."""
COOKIE_SIZE = 4_096
"""Characters of one cookie; a larger one is not kept, as in browsers."""
SIZE_IN_ALL = 7_500
"""Characters of all of them: they go along with every request, and most servers refuse a header of more than 8 kB."""


class SmallJar(CookieJar):
    """A jar of few and small cookies: what a server sets without end would be sent back without end."""

    newest: tuple[tuple[str, str], ...] = ()
    """Names and values as they were when the last cookie was set; for any thread."""

    def set_cookie(self, cookie: Cookie) -> None:
        """Keep a cookie, and let the oldest go that are too many."""
        if _size(cookie) > COOKIE_SIZE:
            return
        super().set_cookie(cookie)
        self._limit()
        self.newest = tuple((kept.name, kept.value or "") for kept in self)

    def _limit(self) -> None:
        kept = list(self)
        size = sum(map(_size, kept))
        for oldest in kept[:-1]:
            if len(kept) <= COOKIES and size <= SIZE_IN_ALL:
                return
            kept = kept[1:]
            size -= _size(oldest)
            self.clear(oldest.domain, oldest.path, oldest.name)

    def header_for(self, url: str) -> str | None:
        """The value of the `Cookie` header for a URL; None for none."""
        request = Request(url)
        self.add_cookie_header(request)
        return request.get_header("Cookie")


def _size(cookie: Cookie) -> int:
    return sum(len(text or "") for text in (cookie.name, cookie.value, cookie.path, cookie.domain))
