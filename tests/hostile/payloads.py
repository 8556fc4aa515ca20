"""Hostile payloads: values, texts, bodies and frames, chosen by a seeded `Random`."""

import gzip
import json
import struct
import zlib
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

from tests.hostile.image_bombs import BOMBS

ESCAPES = (
    "\x1b[3;7;31;6;9mPWNED",
    "\x1b]0;PWNED\x07",
    "\x1b]52;c;UFdORUQ=\x07",
    "\x1bP+q544e\x1b\\",
    "\x1b_Gf=100;PWNED\x1b\\",
    "\x1bcPWNED",
    "\x1b[5i\x1b[6n\x1b[21t",
    "\x1b[2J\x1b[1;1HPWNED\x1b[?1049l",
    "\x9b31mPWNED\x9d0;PWNED\x9c\x90q\x9c",
    "\x0e\x0f\x07\x08\x08\x08PWNED\r\x0b\x0c",
    "\u202eDENWP\u202c\u2066PWNED\u2069\u200e\u200f",
    "\u061c\u200b\u2060\ufeff\U000e0041\U000e0042\u206aPWNED",
    "\u3164\u115f\u1160\uffa0\ufff9PWNED\ufffb\u180e\u00ad",
)
"""Escape sequences and control characters; none of them may ever reach the terminal."""
TEXTS = (
    *ESCAPES,
    "a" + "\u0301\u0489\u20dd" * 300,
    "\u0915\u200d" * 300,
    "👩\u200d🚀\ufe0f" * 80,
    "[bold red]PWNED[/] [/foo] [@click=app.quit]x[/]",
    "{0.__class__} %s %n ${HOME} $(id)",
    "\ud800",
    "x" * 100_000,
    "狐" * 5_000,
    "\n" * 2_000,
    "\t" * 500,
    "",
    " ",
    "null",
)
PATHS = (
    "../../../../tmp/comfytui-pwned.png",
    "/tmp/comfytui-pwned.png",
    "..\\..\\comfytui-pwned.png",
    "sub/../../comfytui-pwned.png",
    ".bashrc",
    "..",
    "CON",
    "-rf",
    "fox\x00.png",
    "fox.png\x1b[5i",
    "a" * 240 + ".png",
    "comfytui-pwned/fox.png",
    "fox\u202egnp.exe",
)
NUMBERS = (0, -1, 1, True, 2**31, 2**53, 2**63, 1e308, -1e308, 1e-320, 0.1, 10**400)
NON_JSON_NUMBERS = ("@NaN@", "@Infinity@", "@-Infinity@", "@1e999@")
"""Placeholders for numbers that JSON cannot express; see `to_json`."""
DEEP = "@deep@"
"""Placeholder for deeply nested lists; see `to_json`."""
PATH_KEYS = frozenset({"filename", "subfolder", "type"})


def random_value(rng: Random, key: str = "") -> Any:
    """Return a random unexpected value; for keys of paths, often a malicious path."""
    if key in PATH_KEYS and rng.random() < 0.5:
        return rng.choice(PATHS)
    kinds: list[Callable[[], Any]] = [
        *[lambda: rng.choice(TEXTS)] * 4,
        *[lambda: rng.choice([*NUMBERS, *NON_JSON_NUMBERS])] * 2,
        lambda: rng.choice([None, [], {}, [[]], {"": None}]),
        lambda: DEEP,
        lambda: [rng.choice(TEXTS[: len(ESCAPES)])] * rng.choice([3, 2_000]),
        lambda: {f"{rng.choice(ESCAPES)}{number}": number for number in range(rng.choice([3, 2_000]))},
    ]
    return rng.choice(kinds)()


def mutate(value: Any, rng: Random, mutations: int = 3) -> Any:
    """Return a value with a few random parts replaced; unchanged parts are shared with the original."""
    for _ in range(mutations):
        value = _mutate_once(value, rng)
    return value


def _mutate_once(value: Any, rng: Random, key: str = "") -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.9:
        chosen = rng.choice(list(value))
        if rng.random() < 0.1:
            return {**value, rng.choice(TEXTS): value[chosen]}
        return {**value, chosen: _mutate_once(value[chosen], rng, chosen)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        if rng.random() < 0.1:
            return value + value[at : at + 1] * rng.choice([1, 2_000])
        return [*value[:at], _mutate_once(value[at], rng, key), *value[at + 1 :]]
    return random_value(rng, key)


def to_json(value: Any) -> str:
    """Return a value as JSON, with the placeholders replaced by what JSON cannot express."""
    text = json.dumps(value)
    for name in NON_JSON_NUMBERS:
        text = text.replace(f'"{name}"', name.strip("@"))
    return text.replace(f'"{DEEP}"', "[" * 20_000 + "]" * 20_000)


@cache
def empty_lists(megabytes: int) -> bytes:
    """Return JSON of empty lists only, each of which needs 20 times its length in memory."""
    return b"[" + b"[]," * (megabytes * 2**20 // 3) + b"[]]"


@cache
def compressed_blanks(megabytes: int, levels: int) -> bytes:
    """Return blanks, compressed with gzip several times."""
    body = b" " * (megabytes * 2**20)
    for _ in range(levels):
        body = gzip.compress(body, 9)
    return body


@cache
def huge_queue(items: int) -> bytes:
    """Return a queue of invalid items."""
    return b'{"queue_running": [], "queue_pending": [' + b"[]," * items + b"[0]]}"


@cache
def huge_history(entries: int) -> bytes:
    """Return a history of very many entries."""
    entry = {"prompt": [0, "x", {}, {}, []], "outputs": {}, "status": {"status_str": "success", "messages": []}}
    return json.dumps({f"{number:032x}": entry for number in range(entries)}).encode()


@cache
def huge_options(names: int) -> bytes:
    """Return a list of very many models."""
    return json.dumps([f"model {number}\x1b[5i" for number in range(names)]).encode()


@cache
def huge_device_list(count: int) -> bytes:
    """Return the stats of a machine with very many graphics cards."""
    device = {"name": "PWNED\x1b]0;PWNED\x07", "type": "cuda", "vram_total": 2**40, "vram_free": 1}
    system = {"comfyui_version": "0.33.0", "ram_total": 2**60, "ram_free": 1, "argv": ["main.py"] * 1000, "os": "x"}
    return json.dumps({"system": system, "devices": [device] * count}).encode()


BODIES: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "null": lambda: b"null",
    "a list": lambda: b"[]",
    "an object": lambda: b"{}",
    "a number": lambda: b"-1e999",
    "a page": lambda: b"<!doctype html><title>\x1b]0;PWNED\x07</title>",
    "noise": lambda: bytes(range(256)) * 100,
    "deep": lambda: b'{"a":' * 100_000,
    "deep lists": lambda: b"[" * 1_000_000,
    "empty lists": lambda: empty_lists(20),
    "long queue": lambda: huge_queue(2_000_000),
    "long history": lambda: huge_history(50_000),
    "many names": lambda: huge_options(300_000),
    "many cards": lambda: huge_device_list(100_000),
    "blanks": lambda: b" " * (40 * 2**20),
    "long text": lambda: json.dumps({"error": "x" * (20 * 2**20)}).encode(),
}
ENCODED: dict[str, Callable[[], tuple[bytes, str]]] = {
    "gzip": lambda: (compressed_blanks(300, 1), "gzip"),
    "gzip in gzip": lambda: (compressed_blanks(300, 2), "gzip, gzip"),
    "deflate": lambda: (zlib.compress(empty_lists(40), 9), "deflate"),
    "gzip that is none": lambda: (b"PWNED" * 100, "gzip"),
    "unknown": lambda: (b"{}", "pwned"),
}
STATUSES = (204, 400, 404, 405, 413, 418, 429, 500, 502, 503, 524, 599)


def random_image(rng: Random) -> bytes:
    """Return an image that is expensive to decode, or invalid."""
    return BOMBS[rng.choice(list(BOMBS))]()


def binary_frame(rng: Random, prompt_id: str) -> bytes:
    """Return a malformed or expensive binary frame."""
    metadata = to_json(mutate({"node_id": "3", "prompt_id": prompt_id, "image_type": "image/png"}, rng, 1)).encode()
    image = random_image(rng)
    frames: list[Callable[[], bytes]] = [
        lambda: rng.randbytes(rng.randrange(64)),
        lambda: struct.pack(">II", 4, 2**32 - 1) + metadata,
        lambda: struct.pack(">II", rng.choice([2, 3, 5, 2**31]), 4) + b"\x1b[5i" + image,
        lambda: struct.pack(">II", 3, 2**20) + b"3" + b"\x1b]0;PWNED\x07" * 1000,
        lambda: struct.pack(">II", 1, rng.choice([0, 1, 2, 3])) + image,
        lambda: struct.pack(">II", 1, 1) + bytes(30 * 2**20),
        *[lambda: struct.pack(">II", 4, len(metadata)) + metadata + image] * 3,
    ]
    return rng.choice(frames)()


def text_frame(rng: Random, prompt_id: str) -> str:
    """Return a text frame about a prompt, with random mutations."""
    outputs = {"images": [{"filename": "fox.png", "subfolder": "", "type": "output"}] * rng.choice([1, 300])}
    about: list[dict[str, Any]] = [
        {"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 5}}, "sid": "x"}},
        {"type": "execution_start", "data": {"prompt_id": prompt_id, "timestamp": 1}},
        {"type": "execution_cached", "data": {"prompt_id": prompt_id, "nodes": ["3", "4"], "timestamp": 1}},
        {"type": "executing", "data": {"prompt_id": prompt_id, "node": "3", "display_node": "3"}},
        {"type": "progress", "data": {"prompt_id": prompt_id, "node": "3", "value": 3, "max": 20}},
        {
            "type": "progress_state",
            "data": {"prompt_id": prompt_id, "nodes": {"3": {"value": 1, "max": 2, "state": "x"}}},
        },
        {"type": "executed", "data": {"prompt_id": prompt_id, "node": "9", "output": outputs}},
        {"type": "execution_interrupted", "data": {"prompt_id": prompt_id, "node_id": "3", "node_type": "KSampler"}},
        {
            "type": "execution_error",
            "data": {
                "prompt_id": prompt_id,
                "node_id": "3",
                "node_type": "KSampler",
                "exception_message": "no memory",
                "exception_type": "torch.OutOfMemoryError",
                "traceback": ["a", "b"],
            },
        },
        {"type": "feature_flags", "data": {"a": True, "b": {"c": True}}},
        {"type": "logs", "data": {"entries": [{"m": "12%|", "t": "x"}] * 20}},
    ]
    return to_json(mutate(rng.choice(about), rng, rng.randrange(4)))
