"""A promote that fails in the middle: the project is as it was, to the last file."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import bgscaffold.upgrade.transaction
from bgscaffold.upgrade.backup import back_up, restore
from tests import helpers
from tests.generator import upgrading
from tests.generator.conftest import Machine, Outcome, Run
from tests.generator.test_errors import refused
from tests.generator.upgrading import commit, edit, process, status, write

pytestmark = pytest.mark.usefixtures("small_template")

FILTER = ("smudge=exit 1", "clean=/bin/cat", "required=true")
PLAIN = {**os.environ, "PATH": os.defpath}
AS_BEFORE = "The merge failed and was rolled back; no file was changed"


@pytest.fixture
def shop(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with all kinds of user files, as the current folder."""
    project = upgrading.copy("simple", machine.here / "shop")
    monkeypatch.chdir(project)
    edit(project, "README.md", "# shop\n", "# My shop\n")
    (project / "docs/operating.md").unlink()
    (project / "docs/operating.md").symlink_to("../README.md")
    (project / "docs/background.md").unlink()
    write(project, "app/runner/perform.py", "# MINE\n")
    (project / "notes.txt").write_text("not tracked")
    (project / ".env").write_text("MINE=1\n")
    (project / "app/runner/empty").mkdir()
    return project


def whole(project: Path) -> dict[str, object]:
    """Return the files of a work tree, and what `git status` prints."""
    found: dict[str, object] = {
        str(path.relative_to(project)): path.lstat().st_mode
        for path in sorted(project.rglob("*"))
        if ".git" not in path.parts
    }
    state = sorted(path.name for path in (project / ".git").iterdir())
    return found | helpers.tree(project) | {"status": status(project), "git": state}


def break_filter(project: Path, path: str) -> None:
    """Set a filter of the user, which fails when git writes files."""
    write(project, ".gitattributes", f"{path} filter=secret\n")
    for setting in FILTER:
        helpers.git("config", *f"filter.secret.{setting}".split("="), cwd=project)


@pytest.mark.parametrize(
    "path", ["README.md", "app/runner/worker.py", "pyproject.toml"]
)
def test_a_filter_that_fails(path: str, run: Run, shop: Path) -> None:
    break_filter(shop, path)
    before = whole(shop)
    reason = f"error: external filter 'exit 1' failed 1; error: external filter 'exit 1' failed; fatal: {path}: smudge filter secret failed"
    assert run("promote", "celery") == refused(
        "The merge failed and was rolled back; no file was changed",
        shop,
        "Fix the problem git reported and run the command again.",
        reason,
    )
    assert whole(shop) == before


@pytest.mark.parametrize(
    "path",
    [
        ".env.example",  # which git has replaced already
        "README.md",  # edited, so it is merged
        "app/runner/backend.py",  # edited in the same lines, so there is a conflict
        "app/runner/worker.py",  # new
        "app/runner/perform.py",  # edited, so it is kept
        "docs/background.md",  # deleted, so it stays so
        "tests/background/test_drain.py",  # which git has deleted
        "notes.txt",  # none of the merge's
    ],
)
def test_what_somebody_saves_during_the_merge_stays(
    path: str, run: Run, shop: Path
) -> None:
    write(shop, ".gitattributes", "tests/background/workers/tasks.py filter=secret\n")
    write(shop, "app/runner/backend.py", "# MINE\n")
    (shop / "docs/operating.md").unlink()  # which leads to one of the files
    commit(shop)
    save = f"echo mine >>{path}; exit 1"
    for setting, value in (
        ("smudge", save),
        ("clean", "/bin/cat"),
        ("required", "true"),
    ):
        helpers.git("config", f"filter.secret.{setting}", value, cwd=shop)
    before = helpers.tree(shop)
    done = run("promote", "celery")
    failed = f"external filter '{save}' failed"
    reason = (
        f"error: {failed} 1; error: {failed};"
        " fatal: tests/background/workers/tasks.py: smudge filter secret failed"
    )
    if path == "notes.txt":
        assert done == refused(
            "The merge failed and was rolled back; no file was changed",
            shop,
            "Fix the problem git reported and run the command again.",
            reason,
        )
    else:
        assert done == refused(
            (
                "The merge failed and was rolled back, except for files that"
                " another process changed meanwhile"
            ),
            shop / path,
            (
                "Check these files with `git diff`, commit or restore them, and run"
                " the command again."
            ),
            reason,
        )
    after = helpers.tree(shop)
    assert after.pop(path).endswith(b"mine\n")
    before.pop(path, None)
    assert after == before


def test_a_conflict_that_git_has_written_is_put_back(run: Run, shop: Path) -> None:
    write(shop, "app/runner/backend.py", "# MINE\n")
    break_filter(shop, "tests/background/workers/tasks.py")
    before = whole(shop)
    assert run("promote", "celery").err.startswith(AS_BEFORE)
    assert whole(shop) == before


def test_a_folder_in_place_of_a_file_and_the_reverse(run: Run, shop: Path) -> None:
    helpers.git("rm", "-r", "--quiet", "tests/background", cwd=shop)
    write(shop, "tests/background", "mine\n")
    write(shop, "app/runner/worker.py/notes.txt", "mine\n")
    break_filter(shop, "tests/background/test_worker.py")
    before = whole(shop)
    assert run("promote", "celery").err.startswith(AS_BEFORE)
    assert whole(shop) == before


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_a_folder_that_may_not_be_written(
    arguments: tuple[str, ...], shop: Path
) -> None:
    (shop / "app/runner").chmod(0o555)
    before = whole(shop)
    done = without_rights(*process("promote", "celery", *arguments), cwd=shop)
    assert done == refused(
        "Cannot write to these folders",
        shop / "app/runner",
        "Fix their permissions and run the command again.",
    )
    assert whole(shop) == before


def test_the_same_where_root_runs_the_tests(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = os.access

    def denied(path: Path, mode: int) -> bool:
        return access(path, mode) and path != shop / "app/runner"

    monkeypatch.setattr("os.access", denied)
    assert run("promote", "celery").err.startswith(
        f"Cannot write to these folders: '{shop}/app/runner'.\n"
    )


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_a_project_that_may_only_be_read(
    arguments: tuple[str, ...], shop: Path
) -> None:
    closed = [shop, shop / ".git", shop / ".git/objects"]
    before = whole(shop)
    for folder in closed:
        folder.chmod(0o555)
    done = without_rights(*process("promote", "celery", *arguments), cwd=shop)
    assert done == refused(
        "Cannot write to these folders",
        ", ".join(map(str, closed)),
        "Fix their permissions and run the command again.",
    )
    assert whole(shop) == before


def without_rights(*command: str, cwd: Path) -> Outcome:
    """Run a command as one who may not write everywhere, as root may."""
    as_root = [] if os.geteuid() else ["setpriv", "--bounding-set=-dac_override"]
    done = subprocess.run(
        [*as_root, *command],
        cwd=cwd,
        env=PLAIN,
        capture_output=True,
        text=True,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.skipif(
    not helpers.can_unshare(), reason="this container may not mount a disk"
)
def test_a_disk_that_is_full(shop: Path, tmp_path: Path) -> None:
    before = helpers.tree(shop)
    output = ""
    for space in (
        0,
        16,
        32,
        48,
        64,
        80,
        96,
        120,
    ):  # the more there is, the later git fails
        after = tmp_path / f"after-{space}"
        done = on_a_disk(space, shop, after)
        output += done.err
        if done.code == 1:
            assert (done.out, helpers.tree(after)) == ("?? notes.txt\n", before)
    assert output.startswith("A git command failed: 'git hash-object'")
    assert f"\n{AS_BEFORE}" in output
    assert "Traceback" not in output


def on_a_disk(space: int, project: Path, after: Path) -> Outcome:
    """Promote a copy of a project on a disk with so much space, in KiB; copy it from there."""
    script = f"""
        mkdir "$1.disk"
        mount -t tmpfs -o size=8m tmpfs "$1.disk"
        cp -a "$2"/. "$1.disk"
        cd "$1.disk"
        cat /dev/zero >.git/fill 2>/dev/null || true
        truncate --size=-{space}k .git/fill
        to=$1 code=0
        shift 2
        "$@" || code=$?
        rm .git/fill
        git status --porcelain
        cp -a . "$to"
        exit $code
    """
    unshared = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-ec",
        script,
        "sh",
    ]
    command = [
        *unshared,
        str(after),
        str(project),
        *process("promote", "celery"),
    ]
    done = subprocess.run(
        command, env=PLAIN, capture_output=True, text=True, check=False
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_a_lock_that_is_there(arguments: tuple[str, ...], run: Run, shop: Path) -> None:
    lock = shop / ".git/index.lock"
    lock.touch()
    before = whole(shop)
    assert run("promote", "celery", *arguments) == refused(
        "Another git command is running in the repository",
        lock,
        (
            "Wait until it ends, or remove this file if none is running, then"
            " run the command again."
        ),
    )
    assert whole(shop) == before


def test_a_lock_of_a_linked_work_tree(run: Run, shop: Path) -> None:
    helpers.git("worktree", "add", "--quiet", "../other", cwd=shop)
    lock = shop / ".git/worktrees/other/index.lock"
    lock.touch()
    assert f": '{lock}'.\n" in run("promote", "celery", "../other").err
    assert run("promote", "celery").code == 3


def test_a_file_that_git_ignores_cannot_be_written(shop: Path) -> None:
    helpers.git("rm", "-r", "--quiet", "--cached", "tests/background", cwd=shop)
    write(
        shop, ".gitignore", (shop / ".gitignore").read_text() + "/tests/background/\n"
    )
    (shop / "tests/background").chmod(0o555)
    before = whole(shop)
    done = without_rights(*process("promote", "celery"), cwd=shop)
    path = shop / "tests/background/test_worker.py"
    assert done == refused(
        "The merge failed and was rolled back; no file was changed",
        shop,
        "Fix the problem git reported and run the command again.",
        f"{path}: Permission denied",
    )
    assert whole(shop) == before


def test_an_ignored_file_where_a_folder_has_to_go(run: Run, shop: Path) -> None:
    write(
        shop,
        ".gitignore",
        (shop / ".gitignore").read_text() + "/tests/background/workers\n",
    )
    (shop / "tests/background/workers").write_text("not tracked")
    before = whole(shop)
    path = shop / "tests/background/workers"
    assert run("promote", "celery") == refused(
        "The merge failed and was rolled back; no file was changed",
        shop,
        "Fix the problem git reported and run the command again.",
        f"{path}: File exists",
    )
    assert whole(shop) == before


def test_an_ignored_file_saved_during_the_promote(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helpers.git("rm", "-r", "--quiet", "--cached", "tests/background", cwd=shop)
    write(
        shop, ".gitignore", (shop / ".gitignore").read_text() + "/tests/background/\n"
    )
    (shop / "tests/background/workers").write_text("not tracked")
    before = helpers.tree(shop)
    copyfile = shutil.copyfile

    def saved(source: Path, to: Path, **options: bool) -> None:
        copyfile(source, to, **options)
        if to.name == "test_worker.py":
            to.write_text("mine\n")

    monkeypatch.setattr("shutil.copyfile", saved)
    assert run("promote", "celery") == refused(
        (
            "The merge failed and was rolled back, except for files that"
            " another process changed meanwhile"
        ),
        shop / "tests/background/test_worker.py",
        (
            "Check these files with `git diff`, commit or restore them, and run"
            " the command again."
        ),
        f"{shop}/tests/background/workers: File exists",
    )
    assert helpers.tree(shop) == before | {"tests/background/test_worker.py": b"mine\n"}


def test_a_file_where_a_folder_was(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("mine")
    kept = back_up([folder / "file", folder / "new"], tmp_path / "aside")
    shutil.rmtree(folder)
    folder.write_text("theirs")
    restore(kept)
    assert helpers.tree(folder) == {"file": b"mine"}


def test_a_link_where_a_file_was(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    backup = back_up([file], tmp_path / "backup")
    file.unlink()
    file.symlink_to("nowhere")
    restore(backup)
    assert (file.is_symlink(), file.read_text()) == (False, "mine")


def test_what_cannot_be_put_back(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_filter(shop, "pyproject.toml")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "worker.py")

    monkeypatch.setattr(bgscaffold.upgrade.transaction, "restore", full)
    done = run("promote", "celery")
    assert done.err.startswith(
        f"The merge failed, and it could not be rolled back completely: '{shop}' ("
    )
    assert "; worker.py: No space left on device).\n" in done.err
    helpers.git("config", "--remove-section", "filter.secret", cwd=shop)
    shutil.rmtree(shop / "app/runner/workers", ignore_errors=True)
    helpers.git("reset", "--quiet", "--hard", cwd=shop)
    assert (shop / "pyproject.toml").is_file()
