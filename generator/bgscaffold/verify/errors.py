"""Errors of `bgscaffold verify`."""

from bgscaffold.errors import BgscaffoldError


class ExtraMissingError(BgscaffoldError):
    """The packages of the suites are not installed beside bgscaffold."""

    what = "The packages of the suites are not installed"
    allowed = "The suites need the extra `verify` of bgscaffold."
    remedy = (
        "Run: uv tool install 'bgscaffold[verify] @"
        " git+https://github.com/bgscaffold/bgscaffold.git'"
    )


class NotInstalledError(BgscaffoldError):
    """The project has no environment, or one without its packages."""

    what = "The environment of the project is not installed"
    allowed = "It is expected in .venv, or where UV_PROJECT_ENVIRONMENT says."
    remedy = "Run `uv sync` in the project."


class UvMissingError(BgscaffoldError):
    """The project's environment is not installed, and neither is uv."""

    what = "The environment of the project is not installed, and uv is not on PATH"
    allowed = NotInstalledError.allowed
    remedy = "Run `pipx install uv`, and then `uv sync` in the project."


class NotDurableError(BgscaffoldError):
    """The pattern does not keep tasks over a crash, so every fault loses some."""

    what = "The pattern of this project loses tasks in a crash, as documented"
    allowed = "Faults need a pattern that keeps tasks in the database."
    remedy = "Leave out --faults, or run: bgscaffold promote safe"


class PlatformError(BgscaffoldError):
    """The fault suite reads /proc and uses setsid, which only Linux has."""

    what = "The fault suite cannot run on this system"
    allowed = "It needs Linux."
    remedy = "Run it in a container or in CI."


class ServerUrlError(BgscaffoldError):
    """--database or --broker names a server that the project cannot use."""

    exit_code = 2
    what = "The suites cannot use this server"
    allowed = (
        "Use --database postgresql://USER:PASSWORD@HOST/NAME, and --broker"
        " redis://HOST:PORT/0 or amqp://HOST:PORT//."
    )
    remedy = "Or leave it out: the defaults need no server."


class NoBrokerError(BgscaffoldError):
    """--broker was given for a pattern without a broker."""

    exit_code = 2
    what = "The pattern of this project has no broker"
    allowed = "A broker belongs to patterns with workers."
    remedy = "Leave out --broker."


class EnvFileError(BgscaffoldError):
    """--env-file does not exist."""

    exit_code = 2
    what = "The file of --env-file does not exist"
    allowed = "It has the settings that the project requires, one NAME=VALUE per line."
    remedy = "Correct its path."


class SuiteError(BgscaffoldError):
    """A suite has ended without a report."""

    what = "A suite has ended without a report"
    allowed = "Its output is the reason."
    remedy = "If the project is not the cause, report it."


class VerifyInterruptedError(BgscaffoldError):
    """Ctrl-C, or another signal, has ended the command."""

    exit_code = 130
    what = "Interrupted"
    allowed = "All processes have ended, and the project is unchanged."
    remedy = "Run it again."
