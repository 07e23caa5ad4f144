"""The errors of bgscaffold, as whole texts. An error leaves and changes nothing."""

import errno
import json
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import pytest

import bgscaffold.__main__
import bgscaffold.new.create
import bgscaffold.system.atomic_directory
import bgscaffold.template.source
from bgscaffold.git.errors import GitCommandError
from tests import helpers
from tests.generator.conftest import Machine, Outcome, Run

INTERRUPTED = "Interrupted; nothing was created. Run the command again.\n"
FLASK = "Invalid value for --pattern: 'flask'. Choose from simple, async, safe, celery."
SEE_HELP = "Run `bgscaffold --help` or `bgscaffold COMMAND --help`."
A_NAME = (
    "A name has 1 to 63 characters of a-z, 0-9, - and _, starts with a letter and ends"
    " with a letter or a digit. Python keywords, device names of Windows and"
    " dependencies of the project are reserved."
)
DEVICE = "it is a device name of Windows"
KEYWORD = "it is a Python keyword"
DEPENDENCY = "it is a dependency of the project"
RESERVED = {
    "con": DEVICE,
    "nul": DEVICE,
    "lpt1": DEVICE,
    "com0": DEVICE,
    "class": KEYWORD,
    "async": KEYWORD,
    "celery": DEPENDENCY,
    "pydantic_settings": DEPENDENCY,
}
NAMES = [
    *RESERVED,
    "",
    ".",
    "..",
    "shop/..",
    "1shop",
    "-shop",
    "shop-",
    "Shop",
    "my shop",
    "CON",
    'shop"',
    "shop'",
    "shop\n",
    "shop\nname",
    "{{ x }}",
    "{% raw %}",
    "a" * 64,
    "a" * 300,
    "größe",
    "店",
    "\u0430pp",
    "a\\b",
    "shop;ls",
    "\x1b[31m",
]


def refused(
    what: str, value: object, remedy: str, reason: str = "", allowed: str = ""
) -> Outcome:
    """Return the outcome of a command that ends with an error."""
    because = f" ({reason})" if reason else ""
    advice = f"{allowed} {remedy}".strip()
    return Outcome(1, "", f"{what}: {str(value)!r}{because}.\n{advice}\n")


def left_in(folder: Path) -> list[str]:
    """Return the names of all that a folder holds."""
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name.rpartition("/")[2].strip(".")]
)
def test_an_invalid_project_name(name: str, run: Run, machine: Machine) -> None:
    assert run("new", "--", name) == refused(
        "Not a valid project name",
        name.rstrip("/").split("/")[-1],
        "End the path with another name, such as my-app.",
        RESERVED.get(name, ""),
        allowed=A_NAME,
    )
    assert left_in(machine.here) == []


@pytest.mark.parametrize("name", NAMES)
def test_plain_copier_refuses_the_same_names(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"project_name|1 to 63"):
        helpers.render("simple", "none", tmp_path / "shop", project_name=name)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    "name", ["a", "a1", "my-shop_2", "a" * 63, "console", "com10", "matches"]
)
def test_names_that_bgscaffold_and_copier_accept(
    name: str, run: Run, tmp_path: Path, machine: Machine
) -> None:
    assert run("new", name, "--no-git").code == 0
    assert helpers.render("simple", "none", tmp_path / "x", project_name=name).is_dir()


@pytest.mark.parametrize("content", ["notes.txt", ".git"])
def test_a_folder_that_is_not_empty(content: str, run: Run, machine: Machine) -> None:
    kept = machine.here / "shop" / content
    kept.parent.mkdir()
    kept.write_text("mine")
    assert run("new", "shop") == refused(
        "The folder is not empty",
        machine.here / "shop",
        "Choose another path, or move its content away; .git counts as content.",
    )
    assert helpers.tree(machine.here / "shop") == (
        {"notes.txt": b"mine"} if "txt" in content else {}
    )
    assert kept.read_text() == "mine"


@pytest.mark.parametrize("path", ["shop", "shop/inner"])
def test_a_file_in_the_way(path: str, run: Run, machine: Machine) -> None:
    (machine.here / "shop").write_text("mine")
    assert run("new", path) == refused(
        "The path is not a folder",
        machine.here / path,
        "Choose another path, or move what is there away.",
    )
    assert (machine.here / "shop").read_text() == "mine"


@pytest.mark.parametrize("to", ["empty", "nowhere"])
def test_a_link_in_the_way(to: str, run: Run, machine: Machine) -> None:
    (machine.here / "empty").mkdir()
    (machine.here / "shop").symlink_to(to)
    assert run("new", "shop") == refused(
        "The path is not a folder",
        machine.here / "shop",
        "Choose another path, or move what is there away.",
        "it is a symbolic link",
    )
    assert left_in(machine.here) == ["empty", "shop"]
    assert (machine.here / "shop").is_symlink()


def test_no_git(run: Run, machine: Machine) -> None:
    (machine.bin / "git").unlink()
    assert run("new", "shop") == refused(
        "Program not found on PATH",
        "git",
        "Install git 2.38 or newer from https://git-scm.com/downloads.",
    )
    assert left_in(machine.here) == []


@pytest.mark.parametrize(
    "version", ["git version 2.37.9", "git version 1.99", "something else"]
)
def test_an_old_git(version: str, run: Run, machine: Machine) -> None:
    machine.install("git", f"echo {version}")
    assert run("new", "shop") == refused(
        "This git is too old",
        version,
        "Install git 2.38 or newer from https://git-scm.com/downloads.",
    )
    assert left_in(machine.here) == []


def test_a_git_that_fails(run: Run, machine: Machine) -> None:
    machine.install(
        "git",
        'if [ "$1" = version ]; then echo git version 2.99; else echo no >&2; exit 9; fi',
    )
    assert run("new", "shop") == refused(
        "A git command failed",
        "git clone",
        (
            "Fix the problem git reported, or free disk space, and run the"
            " command again."
        ),
        "no",
    )
    assert left_in(machine.here) == []


def test_install_without_uv(run: Run, machine: Machine) -> None:
    (machine.bin / "uv").unlink()
    assert run("new", "shop", "--install") == refused(
        "Program not found on PATH",
        "uv",
        (
            "Install uv with `python3 -m pip install uv` or `pipx install uv`,"
            " or leave out --install."
        ),
    )
    assert left_in(machine.here) == []


def test_an_install_that_fails_leaves_the_project(run: Run, machine: Machine) -> None:
    machine.install("uv", "exit 7")
    done = run("new", "shop", "--install")
    assert done == refused(
        "The project was created, but `uv sync` failed in it",
        machine.here / "shop",
        "Fix the problem uv reported above, then run `uv sync` in that folder.",
        f"Command '['{machine.bin}/uv', 'sync', '--quiet']' returned non-zero exit status 7.",
    )
    assert (machine.here / "shop/.copier-answers.yml").is_file()


def test_an_interrupted_install_leaves_the_project(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.install("uv", "kill -INT $PPID; sleep 5")
    done = run("new", "shop", "--install")
    assert done.err.startswith(
        f"The project was created, but `uv sync` failed in it: '{machine.here}/shop' (interrupted).\n"
    )
    assert (machine.here / "shop/.copier-answers.yml").is_file()


def test_no_template(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(machine.here)
    monkeypatch.setattr(
        bgscaffold.template.source, "PACKAGE", machine.home / "site/bgscaffold"
    )
    assert run("new", "shop") == refused(
        "Cannot find the template of bgscaffold",
        machine.home / "site/bgscaffold/template.bundle",
        (
            "Install bgscaffold again: `python3 -m pip install"
            " --force-reinstall bgscaffold`."
        ),
    )
    assert left_in(machine.here) == []


def test_a_template_with_a_typing_error(
    run: Run, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = tmp_path / "broken"
    (template / "template").mkdir(parents=True)
    shutil.copyfile(helpers.ROOT / "copier.yml", template / "copier.yml")
    (template / "template/readme.jinja").write_text("{{ projct_name }}")
    for command in (
        ["init", "--quiet"],
        ["add", "."],
        ["commit", "--quiet", "--message=x"],
    ):
        helpers.git(*command, cwd=template)
    monkeypatch.setattr(bgscaffold.template.source, "location", lambda: template)
    assert run("new", "shop") == refused(
        "Cannot render the template",
        "UndefinedError",
        "This is a bug in bgscaffold: please report it with the line above.",
        "'projct_name' is undefined",
    )
    assert left_in(machine.here) == []


def test_another_pattern_beside_with_celery(run: Run, machine: Machine) -> None:
    done = run("new", "shop", "--with-celery", "--pattern", "safe")
    text = refused(
        "--with-celery means --pattern celery, but another pattern is given",
        "--pattern safe --with-celery",
        "Leave out one of the two options.",
    ).err
    assert done == Outcome(2, "", text)
    assert run("new", "shop", "--with-celery", "--pattern", "celery").code == 0


@pytest.mark.parametrize(
    "wrong",
    [["--pattern=flask"], ["--ci=jenkins"], ["--with-flask"], ["--no-ai"], ["more"]],
)
def test_a_wrong_option_is_wrong_usage(
    wrong: list[str], run: Run, machine: Machine
) -> None:
    done = run("new", "shop", *wrong)
    assert (done.code, done.out) == (2, "")
    assert wrong[0].split("=")[-1] in done.err
    assert left_in(machine.here) == []


def test_a_wrong_option_in_words(run: Run, machine: Machine) -> None:
    text = f"{FLASK}\n{SEE_HELP}\n"
    assert run("new", "shop", "--pattern=flask") == Outcome(2, "", text)


def test_a_wrong_option_in_json(run: Run, machine: Machine) -> None:
    done = run("new", "shop", "--pattern=flask", "--json")
    assert (done.code, done.err) == (2, "")
    assert json.loads(done.out) == {
        "error": "UsageError",
        "what": "Cannot read the command line",
        "value": "new shop --pattern=flask --json",
        "reason": FLASK,
        "allowed": "",
        "remedy": SEE_HELP,
    }


def test_an_error_in_json(run: Run, machine: Machine) -> None:
    done = run("new", "CON", "--json")
    assert (done.code, done.err) == (1, "")
    assert json.loads(done.out) == {
        "error": "ProjectNameError",
        "what": "Not a valid project name",
        "value": "CON",
        "reason": "",
        "allowed": A_NAME,
        "remedy": "End the path with another name, such as my-app.",
    }


@pytest.mark.parametrize("kind", [RuntimeError, FileNotFoundError])
def test_an_unexpected_error_is_one_line(
    kind: type[Exception], run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise kind("surprise")

    monkeypatch.setattr(bgscaffold.new.create, "require_git", fail)
    assert run("new", "shop") == Outcome(
        1,
        "",
        f"bgscaffold failed: {kind.__name__}: surprise\n"
        "This is a bug: set BGSCAFFOLD_TRACEBACK=1, run the command again,"
        " and report the output.",
    )
    monkeypatch.setenv("BGSCAFFOLD_TRACEBACK", "1")
    with pytest.raises(kind):
        run("new", "shop")


def test_an_early_ctrl_c_is_silent(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        bgscaffold.new.create,
        "require_git",
        lambda: os.kill(os.getpid(), signal.SIGINT),
    )
    assert run("new", "shop") == Outcome(130, "", "")


def test_a_ctrl_c_while_loading_is_silent(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        bgscaffold.__main__, "run", lambda _: os.kill(os.getpid(), signal.SIGINT)
    )
    assert run("new", "shop") == Outcome(130, "", "")


def wrapped_interrupt(*_: object) -> None:
    """Fail as Python 3.11 does when Ctrl-C comes while it makes a class."""

    class Descriptor:
        def __set_name__(self, *_: object) -> None:
            raise KeyboardInterrupt

    try:
        type("Made", (), {"attribute": Descriptor()})
    except BaseException as error:
        raise RuntimeError("Error calling __set_name__") from error


def test_a_wrapped_ctrl_c_while_loading_is_silent(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bgscaffold.__main__, "run", wrapped_interrupt)
    assert run("new", "shop") == Outcome(130, "", "")


@pytest.mark.parametrize("step", ["bgscaffold.new.create.render", "copier.run_copy"])
def test_a_wrapped_ctrl_c_in_the_middle(
    step: str, run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, lambda *_, **__: wrapped_interrupt())
    done = run("new", "a/shop")
    assert (done.code, done.out) == (130, "")
    assert done.err == INTERRUPTED
    assert left_in(machine.here) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("step", ["unpack", "render", "start_repository"])
def test_a_signal_in_the_middle(
    number: signal.Signals,
    step: str,
    run: Run,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stopped(*_: object, **__: object) -> None:
        os.kill(os.getpid(), number)

    handlers = [signal.getsignal(each) for each in bgscaffold.system.signals.SIGNALS]
    monkeypatch.setattr(bgscaffold.new.create, step, stopped)
    assert run("new", "a/b/shop") == Outcome(130, "", INTERRUPTED)
    assert left_in(machine.here) == []
    assert [
        signal.getsignal(each) for each in bgscaffold.system.signals.SIGNALS
    ] == handlers


def test_nohup_stays_in_force(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang_up(*_: object) -> bool:
        os.kill(os.getpid(), signal.SIGHUP)
        return False

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    monkeypatch.setattr(bgscaffold.new.create, "work_tree_root", hang_up)
    assert run("new", "shop").code == 0
    assert signal.signal(signal.SIGHUP, before) is signal.SIG_IGN


def test_a_folder_that_fills_up_during_the_command(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = machine.here / "shop"

    def fill(*_: object) -> bool:
        shop.mkdir()
        (shop / "notes.txt").write_text("mine")
        return False

    monkeypatch.setattr(bgscaffold.new.create, "work_tree_root", fill)
    assert run("new", "shop").err.startswith(f"The folder is not empty: '{shop}'.\n")
    assert helpers.tree(machine.here) == {"shop/notes.txt": b"mine"}


def test_a_move_that_fails(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error", "shop")

    monkeypatch.setattr(os, "rename", fail)
    assert run("new", "shop").err.startswith(
        "Cannot write: 'shop' (Input/output error).\n"
    )
    assert left_in(machine.here) == []


def test_a_parent_that_is_in_use_stays(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def use_and_fail(*_: object) -> None:
        (machine.here / "a/notes.txt").write_text("mine")
        raise GitCommandError("git clone")

    monkeypatch.setattr(bgscaffold.new.create, "unpack", use_and_fail)
    assert run("new", "a/b/shop").code == 1
    assert left_in(machine.here / "a") == ["notes.txt"]


def test_copier_cannot_write(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "app/main.py")

    monkeypatch.setattr("copier.run_copy", full)
    assert run("new", "shop").err.startswith(
        "Cannot write: 'app/main.py' (No space left on device).\n"
    )
    assert left_in(machine.here) == []


def test_a_look_that_is_not_allowed(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(_: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)
    assert run("new", "shop").err.startswith(
        f"Cannot write: '{machine.here}/shop' (Permission denied).\n"
    )


def in_shell(script: str, *, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in which $@ is `bgscaffold new`, in a process of its own."""
    command = ["sh", "-ec", script, "sh", *helpers.process("new")]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_a_folder_that_is_not_writable(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    # Root may write anywhere, unless that right is taken from it.
    as_root = (
        "setpriv --bounding-set=-dac_override,-dac_read_search "
        if not os.geteuid()
        else ""
    )
    done = in_shell(f'exec {as_root}"$@" locked/a/shop', cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr
        == refused(
            "Cannot write",
            locked / "a",
            (
                "Free disk space or choose a folder that you may write to, and run"
                " the command again."
            ),
            "Permission denied",
        ).err
    )
    assert left_in(tmp_path) == ["locked"]
    assert left_in(locked) == []
    assert stat.S_IMODE(locked.stat().st_mode) == 0o555


def test_a_folder_that_cannot_be_read(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    (locked / "shop").mkdir(parents=True)
    (locked / "shop").chmod(0)
    as_root = (
        "setpriv --bounding-set=-dac_override,-dac_read_search "
        if not os.geteuid()
        else ""
    )
    done = in_shell(f'exec {as_root}"$@" locked/shop', cwd=tmp_path)
    assert done.stderr.startswith(f"Cannot write: '{locked}/shop' (Permission denied)")


@pytest.mark.skipif(
    not helpers.can_unshare(), reason="this container may not mount a disk"
)
@pytest.mark.parametrize("size", ["4k", "40k", "100k", "200k"])
def test_a_full_disk(size: str, tmp_path: Path) -> None:
    script = f"""
        mkdir disk
        mount -t tmpfs -o size={size} tmpfs disk
        cd disk
        code=0
        "$@" parent/shop --pattern=celery || code=$?
        ls -A
        exit $code
    """
    unshared = "exec unshare --user --map-root-user --mount sh -ec "
    done = in_shell(f'{unshared} {shlex.quote(script)} sh "$@"', cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert re.search("No space left on device|unable to write file", done.stderr)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("blocks", [0, 4, 16])
def test_no_space_for_a_file(blocks: int, tmp_path: Path) -> None:
    done = in_shell(
        f'ulimit -f {blocks}; exec "$@" parent/shop --pattern=celery', cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(("A git command failed", "Cannot write"))
    assert left_in(tmp_path) == []
