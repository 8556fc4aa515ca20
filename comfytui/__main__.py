"""The entry point of `comfytui` and `python -m comfytui`."""

import gc
import os

# Textual reads this on import. More frames per second gain nothing in a terminal over SSH.
os.environ.setdefault("TEXTUAL_FPS", "20")

GC_THRESHOLD = 20_000
"""New objects between two garbage collections: imports, or a long queue, make many at once, and they all stay."""


def main() -> None:
    """Run the command line."""
    gc.set_threshold(GC_THRESHOLD)
    from comfytui.cli.main import main as run

    try:
        run()
    finally:
        gc.freeze()  # The interpreter would collect garbage several times before it ends.


if __name__ == "__main__":
    main()
