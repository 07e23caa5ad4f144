"""`.ci/run` and the README promise the same."""

from tests import helpers


def test_ci_ends_with_the_readmes_test_command() -> None:
    script = (helpers.ROOT / ".ci" / "run").read_text(encoding="utf-8")
    command = script.splitlines()[-1]
    assert command.endswith(" run poe test")
    readme = (helpers.ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert f"$ {command}" in readme
