"""All checks of a project and of this machine."""

import os
from dataclasses import replace

from bgscaffold.doctor.files import check_files
from bgscaffold.doctor.findings import Finding
from bgscaffold.doctor.inside import check_from_inside
from bgscaffold.doctor.machine import check_machine
from bgscaffold.doctor.redaction import Redactor, find_secrets
from bgscaffold.project.project import Project, find_root, read_text

MAX_DETAIL = 1_000  # characters


def find_project(path: str) -> Project:
    """Return the project around a folder, also one with merge conflicts."""
    return Project.load(find_root(path))


def run_checks(project: Project) -> list[Finding]:
    """Check everything. No finding contains a secret."""
    dotenv = read_text(project.root / ".env")
    redact = Redactor(find_secrets(os.environ, dotenv))
    findings = [
        *check_machine(),
        *check_files(project),
        *check_from_inside(project, dotenv, redact),
    ]
    return [
        replace(
            finding,
            detail=shorten(redact(finding.detail)),
            remedy=redact(finding.remedy),
        )
        for finding in findings
    ]


def shorten(text: str) -> str:
    """Return the beginning of a text, as much as anybody reads."""
    return text if len(text) <= MAX_DETAIL else f"{text[:MAX_DETAIL]} ..."
