"""Where the template comes from."""

from pathlib import Path

import pytest

import bgscaffold.source
from bgscaffold.source import location
from tests import helpers


def test_a_checkout_is_its_own_source() -> None:
    assert location() == helpers.ROOT


def test_a_wheel_holds_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "template.bundle").write_text("")
    monkeypatch.setattr(bgscaffold.source, "PACKAGE", tmp_path)
    assert location() == tmp_path / "template.bundle"
