"""Calls: what a route may pass to `add_task`, and what is an error of the request."""

import pytest

from bgscaffold.verify.suite.contract.server import Server
from bgscaffold.verify.suite.contract.wrong_calls import MESSAGES


def test_def_and_async_def_routes_enqueue_both_kinds_of_task(server: Server) -> None:
    for kind in ("def", "async"):
        assert len(set(server.enqueue(f"notes/{kind}/from-{kind}"))) == 2
        marks = server.wait_for_marks(f"from-{kind}", 2)
        assert sorted(marks) == [f"from-{kind} async", f"from-{kind} def"]


def test_arguments_arrive_as_json_values(server: Server) -> None:
    server.enqueue("show")
    shown = server.wait_for_marks("show")
    assert set(shown) == {"show ([1, 2], None) {'a': {'3': 'é'}}"}


@pytest.mark.parametrize("how", MESSAGES)
def test_a_wrong_call_fails_the_request(server: Server, how: str) -> None:
    answer = server.ask(f"wrong/{how}")
    assert (answer.status_code, answer.json().keys()) == (500, {"detail"})
    assert MESSAGES[how] in answer.json()["detail"]


@pytest.mark.parametrize("value", ["NaN", "1e999", r'"\ud800"'])
def test_a_body_that_json_cannot_express_is_refused(server: Server, value: str) -> None:
    content = f'{{"number": {value}}}'
    headers = {"Content-Type": "application/json"}
    answer = server.ask("number", content=content, headers=headers)
    assert answer.status_code == 422
    [error] = answer.json()["detail"]
    assert error["loc"] == ["body", "number"]


@pytest.mark.needs("key")
@pytest.mark.parametrize("options", ["key=k", "delay=0.01"])
def test_options_of_a_call_are_honoured(server: Server, options: str) -> None:
    server.enqueue(f"options/{options}?{options}")
    assert server.wait_for_marks(options) == [options]


@pytest.mark.lacks("key")
@pytest.mark.parametrize("options", ["key=k", "delay=0.01"])
def test_options_that_the_pattern_lacks_are_refused(
    server: Server, options: str
) -> None:
    answer = server.ask(f"options/{options}?{options}")
    assert answer.status_code == 500
    lacking = "key" if "key" in options else "run_at"
    pattern = server.project.pattern
    assert answer.json()["detail"] == (
        f"options({lacking}=...) is not supported by pattern '{pattern}'."
        " Leave it out, or run: bgscaffold promote safe"
    )


def test_a_call_can_ignore_the_key_of_its_request(server: Server) -> None:
    headers = {"Idempotency-Key": "k"}
    ids = {server.enqueue("options/keyless?key=", headers=headers) for _ in range(2)}
    assert len(ids) == 2
    assert server.wait_for_marks("keyless", 2) == ["keyless", "keyless"]


def test_tasks_enqueue_tasks(server: Server) -> None:
    server.enqueue("chain/chained")
    assert server.wait_for_marks("chained") == ["chained"]


def test_with_on_the_event_loop_names_the_correct_form(server: Server) -> None:
    assert server.ask("sync-with").status_code == 500
    remedy = "In async code write: async with background_tasks() as tasks: ..."
    server.wait_for_log("api", remedy)
