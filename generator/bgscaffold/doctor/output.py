"""What `bgscaffold doctor` prints."""

import json
from dataclasses import asdict

from bgscaffold.doctor.findings import Finding, has_failures
from bgscaffold.project.project import Project

REMEDY_INDENT = 19


def findings_text(findings: list[Finding]) -> str:
    """Return one line for each finding, with its remedy below it."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:<6}{finding.check:<13}{finding.detail}")
        if finding.remedy:
            lines.append(f"{'':<{REMEDY_INDENT}}{finding.remedy}")
    return "\n".join(lines)


def findings_json(project: Project, findings: list[Finding]) -> str:
    """Return the same as one JSON object."""
    content = {
        "path": str(project.root),
        "pattern": project.pattern.value,
        "ok": not has_failures(findings),
        "checks": [asdict(finding) for finding in findings],
    }
    return json.dumps(content, indent=2)
