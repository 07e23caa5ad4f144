"""The wheel and the sdist: built, installed into a fresh environment, run without a network."""

import os
import resource
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import helpers

BUILD = [sys.executable, "-m", "hatchling", "build"]
BUNDLE = "bgscaffold/template.bundle"


def call(*command: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run a command that must succeed and return what it printed."""
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_checkout(folder: Path) -> Path:
    """Copy what a build reads, as an export without .git does."""
    unwanted = shutil.ignore_patterns(
        "__pycache__", "*.py[co]", ".*_cache", "template.bundle"
    )
    for name in ("generator", "template"):
        shutil.copytree(helpers.ROOT / name, folder / name, ignore=unwanted)
    for name in ("copier.yml", "pyproject.toml", "LICENSE", ".gitignore"):
        shutil.copyfile(helpers.ROOT / name, folder / name)
    if (helpers.ROOT / "README.md").exists():
        shutil.copyfile(helpers.ROOT / "README.md", folder / "README.md")
    return folder


def clone(folder: Path, *tags: str, options: tuple[str, ...] = ()) -> Path:
    """Make a repository of a checkout with two commits, and clone it."""
    origin = copy_checkout(folder / "origin")
    helpers.git("init", "--quiet", cwd=origin)
    for message in ("one", "two"):
        (origin / "template/generation.txt").write_text(message)
        helpers.git("add", "--all", cwd=origin)
        helpers.git("commit", "--quiet", f"--message={message}", cwd=origin)
        for tag in tags[:1] if message == "one" else tags[1:]:
            helpers.git("tag", tag, cwd=origin)
    cloned = folder / "clone"
    helpers.git(
        "clone", "--quiet", *options, f"file://{origin}", str(cloned), cwd=folder
    )
    return cloned


def wheel_of(checkout: Path) -> Path:
    """Build a wheel and return its path."""
    call(*BUILD, "-t", "wheel", "-d", "dist", cwd=checkout)
    [wheel] = (checkout / "dist").glob("*.whl")
    return wheel


def bundled(wheel: Path, folder: Path) -> dict[str, str]:
    """Return the tags of a wheel's bundle, each with the generation of the template it holds."""
    with zipfile.ZipFile(wheel) as archive:
        bundle = archive.extract(BUNDLE, folder)
    opened = folder / "opened"
    helpers.git("clone", "--quiet", "--bare", bundle, str(opened), cwd=folder)
    tags = helpers.git("tag", cwd=opened).split()
    return {
        tag: helpers.git("show", f"{tag}:template/generation.txt", cwd=opened)
        for tag in tags
    }


@pytest.mark.parametrize(
    "options",
    [(), ("--depth=1",), ("--depth=1", "--no-tags"), ("--filter=blob:none",)],
    ids=["full", "shallow", "shallow and tagless", "partial"],
)
def test_any_clone_without_the_tag_gets_it_for_what_it_holds(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    wheel = wheel_of(clone(tmp_path, options=options))
    assert bundled(wheel, tmp_path) == {helpers.TAG: "two"}


@pytest.mark.parametrize(
    "options", [(), ("--filter=blob:none",)], ids=["full", "partial"]
)
def test_older_versions_are_in_the_bundle(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    wheel = wheel_of(clone(tmp_path, "v0.0.9", options=options))
    assert bundled(wheel, tmp_path) == {"v0.0.9": "one", helpers.TAG: "two"}


def test_a_released_version_keeps_its_template(tmp_path: Path) -> None:
    wheel = wheel_of(clone(tmp_path, helpers.TAG, "v0.2.0"))
    assert bundled(wheel, tmp_path) == {helpers.TAG: "one", "v0.2.0": "two"}


def test_an_export_without_git_is_enough(tmp_path: Path) -> None:
    export = copy_checkout(tmp_path / "export")
    (export / "template/generation.txt").write_text("exported")
    assert bundled(wheel_of(export), tmp_path) == {helpers.TAG: "exported"}


def test_the_bundle_is_the_same_from_every_build(tmp_path: Path) -> None:
    one = copy_checkout(tmp_path / "one")
    two = shutil.copytree(one, tmp_path / "two")
    assert wheel_of(one).read_bytes() == wheel_of(two).read_bytes()


def test_an_editable_install_has_no_bundle(tmp_path: Path) -> None:
    export = copy_checkout(tmp_path / "export")
    script = "from hatchling.build import build_editable; build_editable('dist')"
    call(sys.executable, "-c", f"import os; os.mkdir('dist'); {script}", cwd=export)
    [wheel] = (export / "dist").glob("*.whl")
    assert BUNDLE not in zipfile.ZipFile(wheel).namelist()


def with_an_older_version(checkout: Path) -> Path:
    """Add an older version with one more file to the repository of a checkout."""
    helpers.git("init", "--quiet", cwd=checkout)
    more = checkout / "template/more.txt"
    more.write_text("more\n")
    for tag in ("v0.0.9", helpers.TAG):
        helpers.git("add", "--all", cwd=checkout)
        helpers.git("commit", "--quiet", f"--message={tag}", cwd=checkout)
        helpers.git("tag", tag, cwd=checkout)
        more.unlink(missing_ok=True)
    return checkout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, build the wheel from it without git, install that; give its environment."""
    folder = tmp_path_factory.mktemp("package")
    checkout = with_an_older_version(copy_checkout(folder / "checkout"))
    call(*BUILD, "-t", "sdist", "-d", "dist", cwd=checkout)
    [sdist] = (checkout / "dist").glob("*.tar.gz")
    call(
        "tar", "-xf", str(sdist), cwd=folder
    )  # Debian's Python 3.11.2 knows no extraction filter
    unpacked = folder / sdist.name.removesuffix(".tar.gz")
    no_git = {**os.environ, "PATH": str(folder)}
    call(*BUILD, "-t", "wheel", "-d", str(folder / "dist"), cwd=unpacked, env=no_git)
    [wheel] = (folder / "dist").glob("*.whl")
    uv = helpers.find_uv()
    call(uv, "venv", "--quiet", "--python", sys.executable, "env", cwd=folder)
    python = str(folder / "env/bin/python")
    call(
        uv,
        "pip",
        "install",
        "--quiet",
        "--compile-bytecode",
        "--python",
        python,
        str(wheel),
        cwd=folder,
    )
    return folder / "env"


# Where a container forbids namespaces, git at least may use no protocol that needs a network.
OFFLINE = (
    ("unshare", "--user", "--map-root-user", "--net")
    if helpers.can_unshare()
    else ("env", "GIT_ALLOW_PROTOCOL=file", "https_proxy=http://127.0.0.1:9")
)


@pytest.mark.parametrize("pattern", helpers.PATTERNS)
def test_the_installed_wheel_works_offline(
    pattern: str, installed: Path, tmp_path: Path
) -> None:
    command = str(installed / "bin/bgscaffold")
    call(
        *OFFLINE,
        command,
        "new",
        "shop",
        f"--pattern={pattern}",
        "--ci=none",
        cwd=tmp_path,
    )
    plain = helpers.tree(helpers.render(pattern, "none", tmp_path / "plain/shop"))
    made = helpers.tree(tmp_path / "shop")
    assert made.pop(".copier-answers.yml")
    assert plain.pop(".copier-answers.yml")
    assert made == plain


def test_the_installed_wheel_promotes_offline(installed: Path, tmp_path: Path) -> None:
    command = (*OFFLINE, str(installed / "bin/bgscaffold"))
    call(*command, "new", "shop", "--pattern=simple", "--ci=none", cwd=tmp_path)
    for pattern in ("celery", "async", "safe", "simple"):
        call(*command, "promote", pattern, "--dry-run", cwd=tmp_path / "shop")
        call(*command, "promote", pattern, cwd=tmp_path / "shop")
        made = tmp_path / pattern
        call(
            *command,
            "new",
            "shop",
            f"--pattern={pattern}",
            "--ci=none",
            cwd=made_folder(made),
        )
        assert helpers.tree(tmp_path / "shop") == helpers.tree(made / "shop")
        helpers.git("commit", "--quiet", "--no-edit", cwd=tmp_path / "shop")


def made_folder(folder: Path) -> Path:
    """Make a folder and return it."""
    folder.mkdir()
    return folder


def test_the_installed_wheel_updates_offline(installed: Path, tmp_path: Path) -> None:
    command = (*OFFLINE, str(installed / "bin/bgscaffold"))
    call(*command, "new", "shop", "--pattern=safe", cwd=tmp_path)
    fresh = helpers.tree(tmp_path / "shop")
    answers = tmp_path / "shop/.copier-answers.yml"
    answers.write_text(answers.read_text().replace(helpers.TAG, "v0.0.9"))
    (tmp_path / "shop/more.txt").write_text("more\n")
    helpers.git("add", "--all", cwd=tmp_path / "shop")
    helpers.git("commit", "--quiet", "--message=as it was", cwd=tmp_path / "shop")
    output = call(*command, "update", cwd=tmp_path / "shop")
    assert output.startswith(
        f"Updated shop from v0.0.9 to {helpers.TAG}; not committed yet:\n"
    )
    assert helpers.tree(tmp_path / "shop") == fresh


def test_the_installed_command_says_its_version(
    installed: Path, tmp_path: Path
) -> None:
    assert call(str(installed / "bin/bgscaffold"), "--version", cwd=tmp_path) == (
        f"bgscaffold {helpers.TAG[1:]}\n"
    )
    python = str(installed / "bin/python")
    assert "Usage: " in call(python, "-m", "bgscaffold", "--help", cwd=tmp_path)


def test_the_installed_wheel_has_the_probe_of_the_doctor(installed: Path) -> None:
    [probe] = installed.glob("lib/*/site-packages/bgscaffold/doctor/probe.py")
    source = helpers.ROOT / "generator/bgscaffold/doctor/probe.py"
    assert probe.read_bytes() == source.read_bytes()


def test_the_installed_wheel_has_the_suites_of_verify(installed: Path) -> None:
    [suites] = installed.glob("lib/*/site-packages/bgscaffold/verify/suite")
    source = helpers.ROOT / "generator/bgscaffold/verify/suite"
    assert without_bytecode(suites) == without_bytecode(source)


def without_bytecode(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder, without what Python has compiled."""
    files = helpers.tree(folder)
    return {path: files[path] for path in files if not path.endswith(".pyc")}


def test_the_installed_command_names_the_missing_extra(
    installed: Path, tmp_path: Path
) -> None:
    project = helpers.render("simple", "none", tmp_path / "shop")
    command = [str(installed / "bin/bgscaffold"), "verify", str(project)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "not installed: 'httpx2, psycopg, pytest'" in done.stderr
    assert "uv tool install 'bgscaffold[verify] @ git+https" in done.stderr


def test_a_project_costs_little_more_than_loading_copier(
    installed: Path, tmp_path: Path
) -> None:
    python, bgscaffold = (
        str(installed / f"bin/{name}") for name in ("python", "bgscaffold")
    )
    copier = least_time(python, "-c", "import copier, typer", cwd=tmp_path)
    assert least_time(bgscaffold, "new", "shop", cwd=tmp_path) < 2.5 * copier
    assert least_time(bgscaffold, "--help", cwd=tmp_path) < 0.5 * copier


def least_time(*command: str, cwd: Path) -> float:
    """Return the processor time that a command takes when little else disturbs it."""
    spent = []
    for _ in range(3):
        shutil.rmtree(cwd / "shop", ignore_errors=True)
        before = processor_time()
        call(*command, cwd=cwd)
        spent.append(processor_time() - before)
    return min(spent)


def processor_time() -> float:
    """Return what ended child processes have used: tests beside this one do not change it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
