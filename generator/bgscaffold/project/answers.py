"""The answers that a project was created from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bgscaffold.features import Feature
from bgscaffold.layout import ANSWERS_FILE, URL
from bgscaffold.patterns import Pattern
from bgscaffold.project.errors import AnswersError


@dataclass(frozen=True)
class Answers:
    """The content of an answers file."""

    commit: str
    source: str
    pattern: Pattern
    values: dict[str, Any]  # every answer by the name of its question

    @property
    def features(self) -> list[Feature]:
        """Return the features that the project has."""
        return [feature for feature in Feature if self.values.get(feature)]


def read_answers(root: Path) -> Answers:
    """Return the answers of the project at `root`."""
    file = root / ANSWERS_FILE
    content = load_mapping(file)
    commit = content.get("_commit")
    source = content.get("_src_path", URL)
    if not isinstance(commit, str) or not commit:
        raise AnswersError(str(file), "_commit is missing")
    if not isinstance(source, str):
        raise AnswersError(str(file), "_src_path is not a string")
    values = {name: content[name] for name in content if str(name)[:1] != "_"}
    require_boolean_features(values, file)
    pattern = values.get("pattern")
    if pattern not in list(Pattern):
        reason = f"pattern: {pattern!r} is none of {', '.join(Pattern)}"
        raise AnswersError(str(file), reason)
    return Answers(
        commit=commit, source=source, pattern=Pattern(str(pattern)), values=values
    )


def load_mapping(file: Path) -> dict[Any, Any]:
    """Return the mapping that a YAML file holds."""
    if file.is_symlink():  # an upgrade would replace it by a file
        raise AnswersError(str(file), "it is a symbolic link")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        first_line = str(error).partition("\n")[0]
        raise AnswersError(str(file), first_line) from error
    if not isinstance(content, dict):
        raise AnswersError(str(file), "it is not a mapping of names to answers")
    return content


def require_boolean_features(values: dict[str, Any], file: Path) -> None:
    """Refuse a feature that is neither on nor off: Copier would turn it on."""
    for feature in Feature:
        value = values.get(feature, False)
        if not isinstance(value, bool):
            reason = f"{feature}: {value!r} is neither true nor false"
            raise AnswersError(str(file), reason)
