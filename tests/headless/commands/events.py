"""Events for tests of what is written about them."""

from typing import Any

from comfytui.headless.documents.events import EndEvent, ImageEvent, ProgressEvent
from comfytui.headless.documents.jobs import OutputFile


def progress(**changes: Any) -> ProgressEvent:
    """Return the progress of image 2 of 4, at step 12 of 20."""
    values: dict[str, Any] = {
        "prompt_id": "p2",
        "batch_id": "b",
        "status": "running",
        "image_index": 2,
        "total_images": 4,
        "current_step": 12,
        "total_steps": 20,
        "percentage": 60,
        "image_fraction": 0.5,
        "batch_fraction": 0.375,
        "phase": "sampling",
        "node": "KSampler",
        "rate": 3.1,
        "elapsed_seconds": 8.0,
        "left_seconds": 12.0,
        "seed": 7,
        "ahead": 0,
        "link": "live",
    }
    return ProgressEvent(**(values | changes))


def image(**changes: Any) -> ImageEvent:
    """Return the event about image 2 of 4, which is done."""
    values: dict[str, Any] = {
        "prompt_id": "p2",
        "batch_id": "b",
        "status": "done",
        "outcome": "succeeded",
        "image_index": 2,
        "total_images": 4,
        "seed": 7,
        "seeds": (7,),
        "cell": (),
        "seconds": 6.5,
        "outputs": (OutputFile(filename="fox_00002_.png", media="image"),),
        "error": None,
    }
    return ImageEvent(**(values | changes))


def end(**changes: Any) -> EndEvent:
    """Return the last event about a batch of four, of which one failed."""
    values: dict[str, Any] = {
        "event": "failed",
        "prompt_id": None,
        "batch_id": "b",
        "outcome": "failed",
        "total_images": 4,
        "counts": {"done": 3, "failed": 1},
        "seeds": (6, 7, 8, 9),
        "outputs": (),
        "error": None,
    }
    return EndEvent(**(values | changes))
