"""The entry point of `comfytui` and `python -m comfytui`."""

import os

# Textual reads this on import. More frames per second gain nothing in a terminal over SSH.
os.environ.setdefault("TEXTUAL_FPS", "20")


def main() -> None:
    """Run the command line."""
    from comfytui.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
