"""The body of `/system_stats`."""

from typing import Any
from urllib.parse import urlsplit

from comfytui.sim.config import SimConfig
from comfytui.sim.memory import Memory

PACKAGES = {
    "comfyui-frontend-package": "1.49.6",
    "comfyui-workflow-templates": "0.11.44",
    "comfyui-embedded-docs": "0.5.10",
    "comfy-kitchen": "0.2.31",
    "comfy-aimdo": "0.4.13",
}
PYTHON = "3.11.7 (main, May  9 2026, 07:35:25) [GCC 12.2.0]"
PYTORCH = {"cuda": "2.13.0+cu128", "cpu": "2.13.0+cpu"}


def system_stats(config: SimConfig, memory: Memory, url: str) -> dict[str, Any]:
    """Return the body of `/system_stats`: versions, command line arguments, and memory in bytes."""
    ram_total, ram_free, device = memory.stats()
    templates = PACKAGES["comfyui-workflow-templates"]
    system = {
        "os": "linux",
        "ram_total": ram_total,
        "ram_free": ram_free,
        "comfyui_version": config.like,
        "required_frontend_version": PACKAGES["comfyui-frontend-package"],
        "installed_templates_version": templates,
        "required_templates_version": templates,
        "comfy_package_versions": [
            {"name": name, "installed": version, "required": version} for name, version in PACKAGES.items()
        ],
        "python_version": PYTHON,
        "pytorch_version": PYTORCH[config.device],
        "embedded_python": False,
        "deploy_environment": "local-git",
        "argv": _argv(config, url),
    }
    return {"system": system, "devices": [device]}


def _argv(config: SimConfig, url: str) -> list[str]:
    parts = urlsplit(url)
    arguments = ["main.py", *(["--cpu"] if config.device == "cpu" else [])]
    arguments += ["--listen", str(parts.hostname), "--port", str(parts.port)]
    arguments += ["--preview-method", config.preview_method, "--preview-size", str(config.preview_size)]
    return [*arguments, *config.arguments]
