"""Foreign text made harmless in one place, before anything of a server or a user reaches the terminal."""

import re
import unicodedata
from collections.abc import Callable

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor moves
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # OSC, DCS, SOS, PM, APC: titles, clipboards, pictures
    r"|\x1b[ -/]*[0-~]?",
    re.DOTALL,
)
_COMMON = re.compile(
    "[ -~\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0482\u048a-\u052f\u2010-\u2027\u2030-\u205e\u20a0-\u20bf\u2100-\u2bff"
    "\u3001-\u3029\u3041-\u3096\u30a0-\u30ff\u4e00-\u9fff\uac00-\ud7a3]*"
)
"""Letters, signs and lines that are what they seem, so that most texts need only one look."""
_BREAKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
JOINERS = "\u200c\u200d"
"""The zero-width non-joiner and joiner, which Persian and the scripts of India are spelled with."""
_HIDDEN = re.compile(
    # Controls and surrogates.
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
    # Default_Ignorable_Code_Point without the joiners: nothing to be seen, whatever their category.
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    # The rest of category Cf: terminals do not agree on their width.
    "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f]"
)
_JOINED_SCRIPTS = (
    "[\u0620-\u0dff\u0f00-\u109f\u1700-\u1aff\u1b00-\u1cff\ua800-\uaaff\uabc0-\uabff\ufb50-\ufdff\ufe70-\ufefc"
    "\U00010a00-\U00011fff\U0001e900-\U0001e95f]"
)
"""Arabic and its relatives, Indic scripts and those of South-East Asia: joiners between others only hide."""
_SEVERAL_JOINERS = re.compile(f"([{JOINERS}])[{JOINERS}]+")
_IDLE_JOINER = re.compile(f"(?<!{_JOINED_SCRIPTS})[{JOINERS}]|[{JOINERS}](?!{_JOINED_SCRIPTS})")
# What stands alone as a sign, and what varies it.
EMOJI = "[#*0-9\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001fbff]"
VARIANTS = "\ufe0e\ufe0f\U0001f3fb-\U0001f3ff"
# Terminals do not agree on how many cells a varied emoji takes.
_VARIES = re.compile(f"[{VARIANTS}]")
MARKS = 4
"""Combining marks on one letter; Hebrew with vowels and accents, Burmese and Vietnamese need no more."""
_CONJOINING = "\u1160-\u11ff\ud7b0-\ud7ff"
"""Hangul vowels and finals that take no cell of their own, though they are letters."""
_MAY_BE_MARKS = re.compile(f"(?:[^\\w\x00-\u02ff\u2100-\u2bff]|[{_CONJOINING}]){{{MARKS + 1},}}")
_IS_CONJOINING = re.compile(f"[{_CONJOINING}]")


def sanitize(text: str, limit: int = 500) -> str:
    """One harmless line of at most `limit` characters, as wide on every terminal; what was cut shows as an ellipsis."""
    is_cut, text = len(text) > limit * 4, text[: limit * 4]
    if not is_common(text):
        text = without_hidden(_BREAKS.sub(" ", without_escapes(text)))
    text = text.strip()
    if len(text) <= limit and not is_cut:
        return text
    return text[: limit - 1].rstrip(JOINERS) + "…"


def is_common(text: str) -> bool:
    """Whether a text has nothing to be taken out, as far as a quick look can tell."""
    return _COMMON.fullmatch(text) is not None


def without_escapes(text: str) -> str:
    """The text without escape sequences of a terminal, and what they carry."""
    return _ESCAPES.sub("", text)


def without_hidden(text: str, instead: Callable[[str], str] = lambda _: "") -> str:
    """The text without controls, format characters and what shows nothing, and with few marks on each letter.

    Args:
        text: Any text; its escape sequences lose only the escape.
        instead: What stands in the place of a character that is taken out.
    """
    text = _HIDDEN.sub(lambda found: instead(found[0]), _VARIES.sub(lambda found: instead(found[0]), text))
    if text.isascii():
        return text
    return _MAY_BE_MARKS.sub(_few_marks, _IDLE_JOINER.sub("", _SEVERAL_JOINERS.sub(r"\1", text)))


def _few_marks(run: re.Match[str]) -> str:
    """The characters of a run, of marks that follow one another only the first few."""
    kept, marks = [], 0
    for char in run[0]:
        marks = marks + 1 if _is_mark(char) else 0
        if marks <= MARKS:
            kept.append(char)
    return "".join(kept)


def _is_mark(char: str) -> bool:
    """Whether a character takes no cell of its own, or may be a mark that this Python's tables do not have yet."""
    return unicodedata.category(char) in {"Mn", "Mc", "Me", "Cf", "Cn"} or bool(_IS_CONJOINING.match(char))


def sanitize_lines(text: str, limit: int = 20_000) -> str:
    """Harmless text that keeps its lines and their indentation, of at most `limit` characters."""
    lines = text[:limit].expandtabs(4).splitlines()
    return "\n".join(" " * (len(line) - len(line.lstrip(" "))) + sanitize(line, limit) for line in lines)
