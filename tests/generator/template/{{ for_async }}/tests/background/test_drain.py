"""A process finishes its tasks before it ends."""


def test_open_tasks_are_finished(timeout: float) -> None:
    opened = ["signup.send_welcome", "actions.record"]
    finished = [name for name in opened if timeout > 0]
    assert finished == opened
