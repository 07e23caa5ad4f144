"""Where the template comes from: the bundle inside the wheel, or the checkout this runs from."""

from pathlib import Path

from bgscaffold import __version__
from bgscaffold.errors import GitFailed, TemplateMissing
from bgscaffold.git import git

URL = "https://github.com/bgscaffold/bgscaffold.git"
TAG = f"v{__version__}"
PACKAGE = Path(__file__).parent

# `git clone` keeps its configuration from the git that reads a checkout, maybe another user's.
UPLOAD_PACK = "git -c safe.directory=* upload-pack"


def location() -> Path:
    """Return the git bundle of an installed wheel, or the root of an editable checkout."""
    bundle, checkout = PACKAGE / "template.bundle", PACKAGE.parents[1]
    if bundle.is_file():
        return bundle
    if (checkout / "copier.yml").is_file() and (checkout / ".git").exists():
        return checkout
    raise TemplateMissing(str(bundle))


def unpack(into: Path) -> str:
    """Write copier.yml and template/ of this version into a new folder; return their commit."""
    into.mkdir()
    repository = into.with_name(f"{into.name}.git")
    # Shared: from a checkout nothing is copied; a bundle, which cannot be shared, is unpacked.
    clone = ("clone", "--quiet", "--bare", "--shared", f"--upload-pack={UPLOAD_PACK}")
    git(*clone, "--", str(location()), str(repository), cwd=into)
    commit = described(repository)
    where = (f"--git-dir={repository}", f"--work-tree={into}")
    git(*where, "checkout", "--force", commit, "--", "copier.yml", "template", cwd=into)
    return commit


def described(repository: Path) -> str:
    """Return the tag of this version, or what Copier would record for an untagged HEAD."""
    try:
        git("rev-parse", "--verify", "--quiet", f"refs/tags/{TAG}", cwd=repository)
    except GitFailed:
        return git("describe", "--tags", "--always", cwd=repository)
    return TAG
