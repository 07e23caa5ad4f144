"""Where the template comes from: the bundle inside the wheel, or the checkout this runs from."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from packaging.version import InvalidVersion, Version

from bgscaffold import __version__
from bgscaffold.git.client import git, git_in_background, isolated_env
from bgscaffold.git.errors import GitCommandError
from bgscaffold.layout import CONTENT
from bgscaffold.template.errors import TemplateNotFoundError

TAG = f"v{__version__}"
PACKAGE = Path(__file__).parents[1]

# `git clone` keeps its configuration from the git that reads a checkout, maybe another user's.
UPLOAD_PACK = "git -c safe.directory=* upload-pack"


def location() -> Path:
    """Return the git bundle of an installed wheel, or the root of an editable checkout."""
    bundle, checkout = PACKAGE / "template.bundle", PACKAGE.parents[1]
    if bundle.is_file():
        return bundle
    if (checkout / "copier.yml").is_file() and (checkout / ".git").exists():
        return checkout
    raise TemplateNotFoundError(str(bundle))


def unpack(into: Path, meanwhile: Callable[[], object]) -> str:
    """Write copier.yml and template/ of this version into a new folder; return their commit."""
    repository = clone(into.with_name(f"{into.name}.git"))
    commit = current_version(repository)
    check_out(repository, commit, into, meanwhile)
    return commit


def clone(into: Path) -> Path:
    """Make a repository with every version of the template that this installation holds."""
    # Shared: from a checkout nothing is copied; a bundle, which cannot be shared, is unpacked.
    options = ("--quiet", "--bare", "--shared", f"--upload-pack={UPLOAD_PACK}")
    git("clone", *options, "--", str(location()), str(into), cwd=into.parent)
    return into


def check_out(
    repository: Path,
    commit: str,
    into: Path,
    meanwhile: Callable[[], object] = lambda: None,
) -> Path:
    """Write copier.yml and template/ of one commit into a new folder, and do something meanwhile."""
    into.mkdir()
    where = (f"--git-dir={repository}", f"--work-tree={into}")
    index = isolated_env() | {"GIT_INDEX_FILE": f"{into}.index"}
    command = (*where, "checkout", "--force", commit, "--", *CONTENT)
    with git_in_background(*command, cwd=into, env=index):
        meanwhile()
    return into


def current_version(repository: Path) -> str:
    """Return the tag of this version, or what Copier would record for an untagged HEAD."""
    if resolve_commit(repository, TAG):
        return TAG
    return git("describe", "--tags", "--always", cwd=repository)


def resolve_commit(repository: Path, recorded: str) -> str | None:
    """Return the commit that a tag, or what `git describe` made of a commit, stands for."""
    for name in (f"refs/tags/{recorded}", recorded):
        with suppress(GitCommandError):
            wanted = ("--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
            return git("rev-parse", *wanted, cwd=repository)
    return None


def versions(repository: Path) -> list[str]:
    """Return the tags of all versions, the oldest first."""
    tags = git("tag", "--list", "v*", cwd=repository).split()
    aged = [(age, tag) for tag in tags if (age := parse_version(tag))]
    return [tag for _age, tag in sorted(aged)]


def parse_version(recorded: str) -> Version | None:
    """Return the version that a tag, or a commit after a tag, stands for; None for any other."""
    told = re.sub(r"-(\d+)-g[0-9a-f]+$", r".post\1", recorded)
    with suppress(InvalidVersion):
        return Version(told) if told.startswith("v") else None
    return None
