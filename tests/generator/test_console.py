"""Output that cannot be written: changes stay, and commands that only print fail."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from bgscaffold.system.console import echo
from tests import helpers
from tests.generator.conftest import Machine, Run

ASCII = {
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "ascii",
}


def in_shell(
    script: str, *, cwd: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a script in which $@ is `bgscaffold`, in a process of its own."""
    command = ["bash", "-o", "pipefail", "-c", script, "bash", *helpers.process()]
    env = os.environ | variables
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("stdout", [">/dev/full", ">&-", "| true", "--json >/dev/full"])
def test_a_project_is_created_although_nobody_reads_the_output(
    stdout: str, tmp_path: Path
) -> None:
    done = in_shell(f'"$@" new shop {stdout}', cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-"])
def test_an_error_keeps_its_exit_code(stderr: str, tmp_path: Path) -> None:
    done = in_shell(
        f'"$@" new shop --with-celery --pattern=safe {stderr}', cwd=tmp_path
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


@pytest.mark.parametrize("command", ["patterns", "--version", "--version new"])
def test_what_only_prints_has_failed_when_it_cannot(
    command: str, tmp_path: Path
) -> None:
    assert in_shell(f'"$@" {command} >/dev/full', cwd=tmp_path).returncode == 1
    assert in_shell(f'"$@" {command} >/dev/null', cwd=tmp_path).returncode == 0


def test_what_the_terminal_cannot_show_is_escaped(tmp_path: Path) -> None:
    done = in_shell('"$@" new é/shop', cwd=tmp_path, **ASCII)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Created shop in {tmp_path}/\\udcc3\\udca9/shop," in done.stdout
    assert (tmp_path / "é/shop/.git").is_dir()


def test_json_needs_no_escapes_from_the_terminal(tmp_path: Path) -> None:
    done = in_shell('"$@" new é/shop --json', cwd=tmp_path, **ASCII)
    assert os.fsencode(json.loads(done.stdout)["path"]) == os.fsencode(
        tmp_path / "é/shop"
    )


def test_a_full_disk_is_met_once(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "w", encoding="ascii") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert not echo("größe")
        assert echo("and more")  # nobody reads it, and nothing complains


@pytest.mark.parametrize("command", ["patterns", "--version", "--version new"])
def test_a_command_that_only_prints_fails_on_a_full_disk(
    command: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "w", encoding="ascii") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert run(*command.split()).code == 1


def test_a_closed_stream_is_no_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", None)
    assert not echo("lost", to_stderr=True)
    assert capsys.readouterr().out == ""
