"""Types: the package is clean under three checkers, and a wrong call is an error."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import ROOT

BIN = Path(sys.executable).parent
TEMPLATE = ROOT / "template"
CALLS = Path(__file__).parent / "typing/calls.py"


def check(checker: str, path: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a type checker."""
    if checker == "pyright":
        command = pyright(path, folder)
    elif checker == "ty":
        # `deprecated` asks for what Python 3.11 does not have.
        command = [str(BIN / "ty"), "check", "--ignore", "deprecated"]
        command += ["--output-format", "concise", "--python", str(BIN.parent)]
        command += ["--extra-search-path", str(TEMPLATE), str(path)]
    else:
        options = ("--no-incremental", "--config-file", str(ROOT / "pyproject.toml"))
        command = [str(BIN / "mypy"), *options, str(path)]
    return subprocess.run(
        command,
        cwd=TEMPLATE,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def pyright(path: Path, folder: Path) -> list[str]:
    """Return its command, for a copy: it checks only what is in its folder."""
    if not shutil.which("node"):
        pytest.skip("not installed: node, which pyright needs")
    copy = shutil.copytree if path.is_dir() else shutil.copyfile
    copy(path, folder / path.name)
    settings = {"extraPaths": [str(TEMPLATE)]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    options = ("--pythonpath", sys.executable, "--project", str(folder))
    return [str(BIN / "pyright"), *options]


@pytest.mark.parametrize("checker", ["pyright", "ty"])  # `poe check` runs mypy
def test_the_package_is_clean(checker: str, tmp_path: Path) -> None:
    done = check(checker, TEMPLATE / "afterward", tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("checker", ["mypy", "pyright", "ty"])
def test_a_wrong_call_is_an_error(checker: str, tmp_path: Path) -> None:
    done = check(checker, CALLS, tmp_path)
    reported = {int(line) for line in re.findall(r"calls\.py:(\d+)", done.stdout)}
    text = CALLS.read_text(encoding="utf-8").splitlines()
    marked = {
        number
        for number, line in enumerate(text, 1)
        if "# error" in line and f"not by {checker}" not in line
    }
    assert reported == marked, done.stdout
