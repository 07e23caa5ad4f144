"""The entry point: `--version` is fast, and no command shows a traceback."""

import gc
import os
import sys


def main() -> None:
    """Run the command line; report an unexpected error in two lines."""
    gc.disable()  # a run is short, and collecting takes 5 % of it
    try:
        run(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        from bgscaffold.system.signals import is_interrupt

        if is_interrupt(error):
            sys.exit(130)
        if os.environ.get("BGSCAFFOLD_TRACEBACK"):
            raise
        sys.exit(
            f"bgscaffold failed: {type(error).__name__}: {error}\n"
            "This is a bug: set BGSCAFFOLD_TRACEBACK=1, run the command again,"
            " and report the output."
        )


def run(arguments: list[str]) -> None:
    """Answer `--version`; leave everything else to the Typer application."""
    if arguments != ["--version"]:
        from bgscaffold.cli import run_app

        return run_app(arguments)
    from bgscaffold import __version__
    from bgscaffold.system.console import echo

    printed = echo(f"bgscaffold {__version__}")
    sys.exit(0 if printed else 1)


if __name__ == "__main__":
    main()
