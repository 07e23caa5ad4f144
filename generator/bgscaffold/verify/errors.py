"""Errors of `bgscaffold verify`."""

from bgscaffold.errors import BgscaffoldError

INSTALL_UV = "python3 -m pip install uv, or: pipx install uv"


class ExtraMissingError(BgscaffoldError):
    """The packages of the suites are not installed beside bgscaffold."""

    what = "The packages of the suites are not installed"
    allowed = "bgscaffold with its extra `verify`"
    remedy = (
        "uv tool install 'bgscaffold[verify]', or: pipx install 'bgscaffold[verify]'"
    )


class NotInstalledError(BgscaffoldError):
    """The project has no environment, or one without its packages."""

    what = "The project's environment is not installed"
    allowed = "an environment in .venv, or where UV_PROJECT_ENVIRONMENT says"
    remedy = "uv sync"


class UvMissingError(BgscaffoldError):
    """The project's environment is not installed, and neither is uv."""

    what = "The project's environment is not installed, and uv is not on PATH"
    allowed = NotInstalledError.allowed
    remedy = f"{INSTALL_UV}; then: uv sync"


class NotDurableError(BgscaffoldError):
    """The pattern does not keep tasks over a crash, so every fault loses some."""

    what = "The pattern of this project loses tasks in a crash, as documented"
    allowed = "--faults with a pattern that keeps tasks in the database"
    remedy = "leave out --faults, or run: bgscaffold promote safe"


class PlatformError(BgscaffoldError):
    """The fault suite reads /proc and uses setsid, which only Linux has."""

    what = "The fault suite cannot run on this system"
    allowed = "Linux; the contract suite runs on macOS too"
    remedy = "run it on Linux, for instance in a container or in CI"


class ServerUrlError(BgscaffoldError):
    """--database or --broker names a server that the project cannot use."""

    exit_code = 2
    what = "Not a server that the suites can use"
    allowed = (
        "--database postgresql://USER:PASSWORD@HOST/NAME;"
        " --broker redis://HOST:PORT/0 or amqp://HOST:PORT//"
    )
    remedy = "correct the URL, or leave it out: the defaults need no server"


class NoBrokerError(BgscaffoldError):
    """--broker was given for a pattern without a broker."""

    exit_code = 2
    what = "The pattern of this project has no broker"
    allowed = "--broker with a pattern that has workers"
    remedy = "leave out --broker"


class EnvFileError(BgscaffoldError):
    """--env-file cannot be read."""

    exit_code = 2
    what = "Cannot read the file of --env-file"
    allowed = "a file with the settings that the project requires, NAME=VALUE per line"
    remedy = "correct the path"


class SuiteError(BgscaffoldError):
    """A suite has ended without a report."""

    what = "A suite could not run"
    allowed = "a suite that ends with a report"
    remedy = "read the reason; if it is not the project's, report it"


class VerifyInterruptedError(BgscaffoldError):
    """Ctrl-C, or another signal, has ended the command."""

    exit_code = 130
    what = "Interrupted"
    allowed = "a run to the end"
    remedy = "run it again; all processes have ended, and the project is unchanged"
