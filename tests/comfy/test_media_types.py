"""The media type depends on the file's name, whatever key its node reported it under."""

import pytest

from comfytui.comfy.protocol.events import Output
from comfytui.comfy.protocol.media_types import Media, media_of


@pytest.mark.parametrize(
    ("name", "kind", "media"),
    [
        ("fox_00001_.png", "images", Media.IMAGE),
        ("FOX.JPG", "images", Media.IMAGE),
        ("loop_00001.gif", "gifs", Media.IMAGE),
        ("clip_00001_.mp4", "images", Media.VIDEO),
        ("clip_00001.webm", "gifs", Media.VIDEO),
        ("song_00001_.flac", "audio", Media.AUDIO),
        ("mesh_00001_.glb", "3d", Media.MODEL),
        ("ComfyUI_00001_.latent", "latents", Media.OTHER),
        ("depth_00001_.exr", "images", Media.OTHER),
        (".png", "images", Media.OTHER),
        ("", "images", Media.OTHER),
    ],
)
def test_the_file_name_decides_the_media_type(name: str, kind: str, media: Media) -> None:
    assert media_of(Output(name, kind=kind)) is media
