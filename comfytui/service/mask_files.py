"""Masks of this machine, as ComfyUI takes them: what is transparent in a PNG is masked."""

from io import BytesIO
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from typing import Final

FOLDER: Final = "clipspace"
"""The folder below the input folder in which the editor keeps masked pictures."""
_MARK: Final = "-masked"
"""What the name of a masked picture has at its end."""
_NONE: Final = (255, 255)
"""The lowest and the highest alpha of a picture that masks nothing."""


def read_mask(path: Path) -> bytes:
    """Return the mask in a picture, as a PNG in which what is masked is transparent; blocks, so call it in a thread.

    Args:
        path: A picture that is transparent where it masks, or, if nothing in it is transparent, white.

    Raises:
        OSError: The file cannot be read, is no picture, or masks nothing; the message says so.
    """
    # Imported late: the first paint does not need it.
    from PIL import Image, ImageChops, UnidentifiedImageError

    if not S_ISREG(path.stat().st_mode):  # A pipe would wait for its writer.
        raise OSError("it is not a file")
    try:
        with Image.open(path) as image:
            alpha = image.convert("RGBA").getchannel("A")
            if alpha.getextrema() == _NONE:
                alpha = ImageChops.invert(image.convert("L"))
    except UnidentifiedImageError:
        raise OSError("it is no picture") from None
    except Image.DecompressionBombError:
        raise OSError("it has too many pixels") from None
    except OSError:
        raise
    except Exception:  # Pillow raises many kinds for damaged files.
        raise OSError("it is a damaged picture") from None
    if alpha.getextrema() == _NONE:
        raise OSError("nothing in it is transparent or white")
    content = BytesIO()
    Image.merge("LA", (Image.new("L", alpha.size), alpha)).save(content, "PNG")
    return content.getvalue()


def masked_name(name: str) -> str:
    """Return a name for a picture with a mask in it: that of a PNG, as the server can keep it in no other format."""
    return f"{PurePosixPath(name).stem.removesuffix(_MARK)}{_MARK}.png"
