"""Names of machines, and origins of web pages."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Return whether a name or an address, without a port, can only be that of this machine."""
    name = host.lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def is_origin(text: str) -> bool:
    """Return whether a text is an origin as browsers write it: in lower case, without a path."""
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and parts.port != 0
            and "@" not in parts.netloc
            and text == f"{parts.scheme}://{parts.netloc.lower()}"
        )
    except ValueError:
        return False


def origin_of(url: str) -> str | None:
    """Return the origin of a URL as browsers write it; None if it has none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else None


def is_same_host(origin: str, host: str) -> bool:
    """Return whether an origin is that of a `Host` header, whatever the scheme: a proxy may add https."""
    try:
        return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False
