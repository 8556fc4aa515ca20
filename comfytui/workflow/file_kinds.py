"""Name the files that are mistaken for workflows, and say what to do with them."""

import re
from typing import Final

_UNPACK: Final = "unpack it, and give the workflow in it"
_NO_METADATA: Final = "give the PNG image that was saved beside it, or a JSON file"
_MODEL: Final = "give a workflow that uses it, as JSON"
_OTHER: Final = "give a JSON file, or an image or video as ComfyUI saved it"
_KINDS: Final = (
    (rb"PK\x03\x04.{26}[^\0]{0,200}/(data\.pkl|version|byteorder)", "a PyTorch checkpoint, not a workflow", _MODEL),
    (rb"\x80\x02\x8a\x0al\xfc\x9cF\xf9", "a PyTorch checkpoint, not a workflow", _MODEL),
    (rb"GGUF", "a GGUF model, not a workflow", _MODEL),
    (rb"PK(\x03\x04|\x05\x06|\x07\x08)", "a ZIP archive", _UNPACK),
    (rb"\x1f\x8b|BZh|\xfd7zXZ\0|\x28\xb5\x2f\xfd", "a compressed file", _UNPACK),
    (rb"7z\xbc\xaf\x27\x1c|Rar!|.{257}ustar", "an archive", _UNPACK),
    (rb"GIF8[79]a", "a GIF image, which holds no workflow", _NO_METADATA),
    (rb"BM.{4}\0\0\0\0", "a BMP image, which holds no workflow", _NO_METADATA),
    (rb"II\*\0|MM\0\*|II\+\0|MM\0\+", "a TIFF image", _NO_METADATA),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL image", _NO_METADATA),
    (rb"8BPS", "a Photoshop document", _NO_METADATA),
    (rb"RIFF.{4}AVI ", "an AVI video, which holds no workflow", _NO_METADATA),
    (rb"RIFF.{4}WAVE", "a WAV sound, which holds no workflow", _NO_METADATA),
    (rb"\xff[\xf2\xf3\xfa\xfb]", "an MP3 sound without metadata", _OTHER),
    (rb"%PDF", "a PDF document", _OTHER),
    (rb"SQLite format 3\0", "an SQLite database", _OTHER),
    (rb"\x7fELF|MZ|[\xce\xcf]\xfa\xed\xfe|#!", "a program", _OTHER),
    (rb"\x93NUMPY", "a NumPy array", _OTHER),
    (rb"version https://git-lfs", "a pointer of Git LFS, not the file itself", "get the file with git lfs pull"),
    (
        rb"(?i)(\xef\xbb\xbf)?\s*(<!--.{0,500}?-->\s*)?<(!doctype html|html|head|body)",
        "a web page, perhaps in place of a download",
        "download the file itself",
    ),
    (rb"(\xef\xbb\xbf)?\s*<\?xml|(\xef\xbb\xbf)?\s*<\w+[\s>]", "an XML document", _OTHER),
)
_JSON: Final = re.compile(rb'(\xef\xbb\xbf)?[\s\0]*([\[{"\-0-9]|true|false|null|NaN|Infinity)')
_UTF_16_OR_32: Final = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
_TEXT: Final = re.compile(rb"[^\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]+")


def other_kind(head: bytes) -> str | None:
    """Return what a file is, and what to do, as the end of a sentence; None if it may be JSON.

    Args:
        head: The first bytes of a file that is no format of `media_format`.
    """
    if not head.strip(b"\0 \t\r\n"):
        return f"{'empty' if not head.strip() else 'full of zeros'}: {_OTHER}"
    for pattern, kind, advice in _KINDS:
        if re.match(pattern, head, re.DOTALL):
            return f"{kind}: {advice}"
    if _JSON.match(head) or head.startswith(_UTF_16_OR_32):
        return None
    kind = "a text, but not JSON" if _TEXT.fullmatch(head) else "of a kind that holds no workflow"
    return f"{kind}: {_OTHER}"
