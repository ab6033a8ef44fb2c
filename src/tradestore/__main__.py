"""``python -m tradestore`` and ``tradestore``: the command line."""

import sys

try:
    from tradestore.cli.app import run
except ModuleNotFoundError as e:
    if e.name is None or e.name.partition(".")[0] not in {"typer", "rich"}:
        raise
    sys.exit(f"The command line needs {e.name}: run pip install 'tradestore[cli]'.")
except KeyboardInterrupt:
    sys.exit(130)

__all__ = ["main"]


def main() -> None:
    """Run the command that the process was started with, and end with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # What a terminal of another alphabet cannot show is no reason to stop.
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
    sys.exit(run())


if __name__ == "__main__":
    main()
