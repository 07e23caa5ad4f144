"""The questions of copier.yml, at one version of the template."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml


def answers_known_to(template: Path, answers: dict[str, Any]) -> dict[str, Any]:
    """Return the answers to questions that this version of the template asks."""
    known = read_questions(template)
    return {name: value for name, value in answers.items() if name in known}


def skip_if_exists(template: Path) -> list[str]:
    """Return the patterns of paths that Copier writes only where they are missing."""
    return list(read_questions(template).get("_skip_if_exists", []))


def read_questions(template: Path) -> dict[str, Any]:
    """Return the content of the template's copier.yml."""
    return parse_yaml((template / "copier.yml").read_text(encoding="utf-8"))


@cache  # parsing takes 50 ms, and an upgrade asks several times
def parse_yaml(text: str) -> dict[str, Any]:
    """Return the mapping that a YAML text holds."""
    content: dict[str, Any] = yaml.safe_load(text)
    return content
