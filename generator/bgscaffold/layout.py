"""Well-known files and addresses."""

URL = "https://github.com/bgscaffold/bgscaffold.git"
CONTENT = ("copier.yml", "template")

ANSWERS_FILE = ".copier-answers.yml"
