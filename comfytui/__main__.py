"""The command `comfytui`."""

import os

# Read by Textual when it is imported: a terminal behind SSH gains nothing from more paints.
os.environ.setdefault("TEXTUAL_FPS", "20")


def main() -> None:
    """Run the command line."""
    from comfytui.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
