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
PACKAGE = ROOT / "template/afterward"
CALLS = Path(__file__).parent / "typing/calls.py"
CHECKERS = {
    "mypy": [
        *(str(BIN / "mypy"), "--no-incremental", "--config-file"),
        str(ROOT / "pyproject.toml"),
    ],
    "pyright": [str(BIN / "pyright"), "--pythonpath", sys.executable, "--project"],
    "ty": [
        *(str(BIN / "ty"), "check", "--output-format", "concise"),
        # Python 3.11 needs `Generator[None, None, None]` for what it would prefer.
        *("--ignore", "deprecated", "--python", str(BIN.parent)),
        *("--extra-search-path", str(ROOT / "template")),
    ],
}


def check(checker: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run a type checker."""
    if checker == "pyright" and not shutil.which("node"):
        pytest.skip("not installed: node, which pyright needs")
    return subprocess.run(
        [*CHECKERS[checker], str(path)],
        cwd=ROOT / "template",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("checker", ["pyright", "ty"])  # `poe check` runs mypy
def test_the_package_is_clean(checker: str) -> None:
    done = check(checker, PACKAGE)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_wrong_call_is_an_error(checker: str, tmp_path: Path) -> None:
    calls = CALLS
    if checker == "pyright":  # it finds the package by its configuration only
        calls = tmp_path
        shutil.copy(CALLS, tmp_path)
        paths = {"extraPaths": [str(ROOT / "template")]}
        (tmp_path / "pyrightconfig.json").write_text(json.dumps(paths))
    done = check(checker, calls)
    reported = {int(line) for line in re.findall(r"calls\.py:(\d+)", done.stdout)}
    text = CALLS.read_text(encoding="utf-8").splitlines()
    marked = {
        number
        for number, line in enumerate(text, 1)
        if "# error" in line and f"not by {checker}" not in line
    }
    assert reported == marked, done.stdout
