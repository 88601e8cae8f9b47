"""`ops` and `python -m ops`."""

from __future__ import annotations


def main() -> None:
    """Entry point of the console script."""
    from ops.cli import main as run

    run()


if __name__ == "__main__":
    main()
