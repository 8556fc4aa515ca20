"""Foreign text made harmless in one place, before anything of a server or a user reaches the terminal."""

import re

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor moves
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # OSC, DCS, SOS, PM, APC: titles, clipboards, pictures
    r"|\x1b[ -/]*[0-~]?",
    re.DOTALL,
)
_BREAKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
# C0 and C1 controls, zero-width marks, direction overrides and isolates, the byte order mark, surrogates, tags.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
# What stands alone as a sign, and what varies it.
EMOJI = "[#*0-9\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001fbff]"
VARIANTS = "\ufe0e\ufe0f\U0001f3fb-\U0001f3ff"
# What joins or varies emoji: terminals do not agree on how many cells these then take. Other scripts join as well.
_VARIES = re.compile(f"[{VARIANTS}]")
_JOINS = re.compile(f"(?<={EMOJI})\u200d(?={EMOJI})")


def plain(text: str, limit: int = 500) -> str:
    """One harmless line of at most `limit` characters, as wide on every terminal; what was cut shows as an ellipsis."""
    text = text[: limit * 4]
    if not text.isprintable():  # what it is holds none of these
        text = _UNSEEN.sub("", _BREAKS.sub(" ", _ESCAPES.sub("", text)))
    if not text.isascii():
        text = _JOINS.sub("", _VARIES.sub("", text))
    text = text.strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def harmless(text: str) -> str:
    """The text without what a terminal obeys, in as many cells: only soft hyphens and lone surrogates take any."""
    return _UNSEEN.sub(lambda char: "?" if char[0] == "\u00ad" or "\ud800" <= char[0] <= "\udfff" else "", text)


def plain_lines(text: str, limit: int = 20_000) -> str:
    """Harmless text that keeps its lines and their indentation, of at most `limit` characters."""
    lines = text[:limit].expandtabs(4).splitlines()
    return "\n".join(" " * (len(line) - len(line.lstrip(" "))) + plain(line, limit) for line in lines)
