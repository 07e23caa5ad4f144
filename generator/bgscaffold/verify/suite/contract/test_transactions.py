"""Transactions: no 202 without a commit, and no task without a 202."""

from uuid import uuid4

import pytest

from bgscaffold.verify.suite.contract.server import Server
from bgscaffold.verify.suite.contract.wrong_calls import MESSAGES

FAILING = {
    **{f"wrong/{how}": 500 for how in MESSAGES},
    **{f"raise/raised?status={status}": status for status in (409, 500)},
    **{f"{step}/failed": 500 for step in ("flush", "commit")},
}


def test_a_request_that_fails_runs_nothing(server: Server) -> None:
    answers = {path: server.ask(path).status_code for path in FAILING}
    assert answers == FAILING
    wait_for_later_tasks(server)
    prefixes = ("wrong", "raised", "failed")
    assert [mark for mark in server.marks() if mark.startswith(prefixes)] == []


@pytest.mark.parametrize("step", ["flush", "commit"])
def test_a_failing_flush_or_commit_is_no_202(server: Server, step: str) -> None:
    assert server.ask(f"{step}/failed-{step}").status_code == 500
    assert has_row(server, f"failed-{step}") is False


def test_the_row_is_there_before_the_task_and_stays_when_it_fails(
    server: Server,
) -> None:
    server.enqueue("row/kept")
    assert set(server.wait_for_marks("read kept")) == {"read kept True"}
    assert has_row(server, "kept") is True


@pytest.mark.parametrize("keep", [True, False])
def test_tasks_share_the_fate_of_the_session_that_they_join(
    server: Server, keep: bool
) -> None:
    line = f"joined-{keep}"
    server.enqueue(f"joined/{line}?keep={keep}")
    if keep:
        server.wait_for_marks(line)
    wait_for_later_tasks(server)
    assert server.marks(line) == [line] * keep


def has_row(server: Server, line: str) -> bool:
    """Return whether the project's database has a row of this test."""
    found: bool = server.get(f"/bgscaffold-contract/row/{line}").json()
    return found


def wait_for_later_tasks(server: Server) -> None:
    """Wait until the tasks of a new request have run, and so those of earlier ones."""
    line = f"later-{uuid4()}"
    server.enqueue(f"notes/def/{line}")
    server.wait_for_marks(line, 2)
