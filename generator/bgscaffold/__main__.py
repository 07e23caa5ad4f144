"""The way in: what must be fast, and what must never show a traceback."""

import gc
import os
import sys


def main() -> None:
    """Run the command line, and say in one line what nobody foresaw."""
    gc.disable()  # a run is short and mostly imports: looking for garbage is 5 % of it
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
        told = f"bgscaffold failed: {type(error).__name__}: {error}"
        sys.exit(
            f"{told}\n  remedy:  set BGSCAFFOLD_TRACEBACK=1, run it again, report it"
        )


def run(arguments: list[str]) -> None:
    """Answer `--version` at once; leave everything else to the Typer application."""
    if arguments == ["--version"]:
        from bgscaffold import __version__
        from bgscaffold.system.console import echo

        sys.exit(not echo(f"bgscaffold {__version__}"))
    from bgscaffold.cli import run_app

    run_app(arguments)


if __name__ == "__main__":
    main()
