"""Masks of this machine: what of a picture is masked, and what is said of one that masks nothing."""

import os
import struct
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from comfytui.service.mask_files import masked_name, read_mask

SIZE = (8, 6)


def saved(folder: Path, image: Image.Image, name: str = "mask.png") -> Path:
    image.save(folder / name)
    return folder / name


def alpha_of(file: Path) -> list[int]:
    """The alpha of the first two pixels of the mask that is sent, which the server takes in this mode."""
    with Image.open(BytesIO(read_mask(file))) as mask:
        assert (mask.format, mask.size) == ("PNG", SIZE)
        return [*mask.convert("RGBA").getchannel("A").tobytes()[:2]]


def test_what_is_transparent_is_masked(tmp_path: Path) -> None:
    image = Image.new("RGBA", SIZE, (255, 255, 255, 255))
    image.putpixel((0, 0), (0, 0, 0, 40))
    assert alpha_of(saved(tmp_path, image)) == [40, 255]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "1", "P"])
def test_what_is_white_is_masked_if_nothing_is_transparent(tmp_path: Path, mode: str) -> None:
    image = Image.new("L", SIZE, 0)
    image.putpixel((0, 0), 255)
    assert alpha_of(saved(tmp_path, image.convert(mode))) == [0, 255]


def test_mask_may_have_any_format(tmp_path: Path) -> None:
    assert alpha_of(saved(tmp_path, Image.new("RGB", SIZE, "white"), "mask.jpg")) == [0, 0]


def test_one_that_masks_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nothing in it is transparent or white"):
        read_mask(saved(tmp_path, Image.new("RGBA", SIZE, "black")))


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    text, pipe, cut = tmp_path / "a.png", tmp_path / "pipe", tmp_path / "cut.png"
    text.write_text("no picture")
    os.mkfifo(pipe)
    whole = saved(tmp_path, Image.effect_noise((200, 200), 50)).read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OSError, match="no picture"):
        read_mask(text)
    with pytest.raises(OSError, match="not a file"):
        read_mask(pipe)
    with pytest.raises(OSError, match="truncated"):
        read_mask(cut)
    with pytest.raises(OSError, match="No such file"):
        read_mask(tmp_path / "missing.png")


def test_damaged_picture_is_refused(tmp_path: Path) -> None:
    whole = saved(tmp_path, Image.new("RGBA", SIZE)).read_bytes()
    for place in range(len(whole)):
        damaged = tmp_path / "damaged.png"
        damaged.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        with suppress(OSError):  # Not every byte matters.
            read_mask(damaged)


def test_huge_picture_is_refused(tmp_path: Path) -> None:
    whole = bytearray(saved(tmp_path, Image.new("L", SIZE)).read_bytes())
    whole[16:24] = struct.pack(">II", 20_000, 9_000)
    whole[29:33] = struct.pack(">I", zlib.crc32(whole[12:29]))
    huge = tmp_path / "huge.png"
    huge.write_bytes(whole)
    with pytest.raises(OSError, match="too many pixels"):
        read_mask(huge)


def test_masked_picture_is_a_png_named_after_it() -> None:
    assert masked_name("fox.jpg") == "fox-masked.png"
    assert masked_name("fox-masked.png") == "fox-masked.png"
    assert masked_name("fox.tar.png") == "fox.tar-masked.png"
