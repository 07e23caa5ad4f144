"""Well-known files, folders and addresses."""

from pathlib import Path

URL = "https://github.com/bgscaffold/bgscaffold.git"
TEMPLATE_FILES = ("copier.yml", "template")
ANSWERS_FILE = ".copier-answers.yml"
RUNTIME = "afterward"  # the package that runs the tasks, the same in every project


def application_packages(root: Path) -> list[Path]:
    """Return the packages with a background.py.

    There is one, `app`, which the user may have renamed or moved into `src/`.
    """
    files = [*root.glob("*/background.py"), *root.glob("*/*/background.py")]
    packages = [file.parent for file in files]
    return sorted(package for package in packages if package.name != RUNTIME)
