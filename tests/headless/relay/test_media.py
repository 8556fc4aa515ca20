"""The headers of files whose names come from a hostile server."""

import pytest

from comfytui.comfy.protocol.events import Output
from comfytui.headless.relay.media import content_type_of, file_headers, image_type_of
from comfytui.session.model import Job, JobStatus


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("fox.PNG", "image/png"),
        ("fox.webm", "video/webm"),
        ("fox.svg", "application/octet-stream"),
        ("fox.html", "application/octet-stream"),
        ("fox.png.xhtml", "application/octet-stream"),
        ("fox.js", "application/octet-stream"),
        ("png", "application/octet-stream"),
    ],
)
def test_no_file_has_a_type_that_a_browser_runs(name: str, content_type: str) -> None:
    assert content_type_of(Output(name)) == content_type


@pytest.mark.parametrize(
    ("name", "disposition"),
    [
        ("fox_00001_.png", 'inline; filename="fox_00001_.png"'),
        ('a"\r\nSet-Cookie: x=1.png', 'inline; filename="a_Set-Cookie_x_1.png"'),
        ("../../etc/passwd", 'attachment; filename="passwd"'),
        ("..\\..\\boot.ini", 'attachment; filename="boot.ini"'),
        ("...", 'attachment; filename="file"'),
        ("狐.svg", 'attachment; filename="_.svg"'),
        ("x" * 500 + ".png", f'inline; filename="{"x" * 96}.png"'),
    ],
)
def test_a_name_stays_within_its_quotes(name: str, disposition: str) -> None:
    output = Output(name)
    job = Job("a", JobStatus.SUCCEEDED, outputs=(output,))
    headers = file_headers(job, output, "tag", content_type_of(output))
    assert headers["Content-Disposition"] == disposition


def test_only_files_of_ended_jobs_are_kept_by_browsers() -> None:
    output = Output("fox.png")
    kept = [
        file_headers(Job("a", status), output, "tag", "image/png")["Cache-Control"]
        for status in (JobStatus.RUNNING, JobStatus.SUCCEEDED)
    ]
    assert kept == ["no-store", "private, max-age=31536000, immutable"]


def test_a_page_is_no_preview() -> None:
    assert image_type_of(b"<html>") is None
    assert image_type_of(b"\xff\xd8\xff\xe0") == "image/jpeg"
    assert image_type_of(b"RIFF\0\0\0\0WEBPVP8 ") == "image/webp"
