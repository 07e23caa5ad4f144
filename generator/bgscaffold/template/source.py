"""The source of the template: the bundle in the wheel, or the checkout that runs."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from packaging.version import InvalidVersion, Version

from bgscaffold import __version__
from bgscaffold.git.client import git, git_in_background, isolated_env
from bgscaffold.git.errors import GitCommandError
from bgscaffold.layout import TEMPLATE_FILES
from bgscaffold.template.errors import TemplateNotFoundError

TAG = f"v{__version__}"
PACKAGE = Path(__file__).parents[1]

# The git that reads a checkout, perhaps another user's, gets no configuration of ours.
UPLOAD_PACK = "git -c safe.directory=* upload-pack"


def location() -> Path:
    """Return the git bundle of an installed wheel, or the root of a checkout."""
    bundle, checkout = PACKAGE / "template.bundle", PACKAGE.parents[1]
    if bundle.is_file():
        return bundle
    if (checkout / "copier.yml").is_file() and (checkout / ".git").exists():
        return checkout
    raise TemplateNotFoundError(str(bundle))


def unpack(into: Path, meanwhile: Callable[[], object]) -> str:
    """Write the template of this version into a new folder; return its version."""
    repository = clone(into.with_name(f"{into.name}.git"))
    version = current_version(repository)
    check_out(repository, version, into, meanwhile)
    return version


def clone(into: Path) -> Path:
    """Create a repository with every version of the template that is installed."""
    # Nothing is copied from a checkout (--shared); a bundle is unpacked.
    options = ("--quiet", "--bare", "--shared", f"--upload-pack={UPLOAD_PACK}")
    git("clone", *options, "--", str(location()), str(into), cwd=into.parent)
    return into


def check_out(
    repository: Path,
    commit: str,
    into: Path,
    meanwhile: Callable[[], object] = lambda: None,
) -> Path:
    """Write the template of a commit into a new folder; call `meanwhile` meanwhile."""
    into.mkdir()
    options = (f"--git-dir={repository}", f"--work-tree={into}")
    env = isolated_env() | {"GIT_INDEX_FILE": f"{into}.index"}
    command = (*options, "checkout", "--force", commit, "--", *TEMPLATE_FILES)
    with git_in_background(*command, cwd=into, env=env):
        meanwhile()
    return into


def current_version(repository: Path) -> str:
    """Return the tag of this version, or Copier's name for an untagged HEAD."""
    if resolve_commit(repository, TAG):
        return TAG
    return git("describe", "--tags", "--always", cwd=repository)


def resolve_commit(repository: Path, recorded: str) -> str | None:
    """Return the commit of a tag, or of a name that `git describe` produced."""
    options = ("--verify", "--quiet", "--end-of-options")
    for name in (f"refs/tags/{recorded}", recorded):
        with suppress(GitCommandError):
            return git("rev-parse", *options, f"{name}^{{commit}}", cwd=repository)
    return None


def versions(repository: Path) -> list[str]:
    """Return the tags of all versions, oldest first."""
    tags = git("tag", "--list", "v*", cwd=repository).split()
    parsed = {tag: parse_version(tag) for tag in tags}
    found = [(version, tag) for tag, version in parsed.items() if version]
    return [tag for _version, tag in sorted(found)]


def parse_version(recorded: str) -> Version | None:
    """Return the version of a tag or of a commit after a tag, None for other names."""
    name = re.sub(r"-(\d+)-g[0-9a-f]+$", r".post\1", recorded)
    with suppress(InvalidVersion):
        return Version(name) if name.startswith("v") else None
    return None
