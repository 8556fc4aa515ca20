"""Which box it is that answers: behind one address, another one can answer tomorrow."""

import hashlib
import json

from comfytui.comfy.protocol.models import SystemStats


def server_fingerprint(stats: SystemStats) -> str:
    """What tells one box from another: arguments, devices and memory, as a digest, since arguments hold secrets."""
    devices = [[device.name, device.type, device.vram_total] for device in stats.devices]
    traits = json.dumps([list(stats.argv), devices, stats.ram_total])
    return hashlib.sha256(traits.encode("utf-8", "replace")).hexdigest()[:32]
