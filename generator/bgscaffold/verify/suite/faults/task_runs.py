"""The outbox of a project, seen from outside."""

from bgscaffold.verify.suite.database import Database


class TaskRuns(Database):
    """A project's database with its table `task_runs`."""

    def open(self) -> int:
        """Return how many task runs wait or run."""
        states = "'pending', 'retrying', 'running'"
        query = f"SELECT count(*) FROM task_runs WHERE state IN ({states})"
        [[number]] = self.rows(query)
        return int(number)

    def running(self) -> int:
        """Return how many task runs are claimed."""
        query = "SELECT count(*) FROM task_runs WHERE state = 'running'"
        [[number]] = self.rows(query)
        return int(number)

    def is_dead(self, name: str) -> bool:
        """Return whether a task has used up its attempts."""
        query = "SELECT CAST(arguments AS TEXT) FROM task_runs WHERE state = 'dead'"
        return any(f'"{name}"' in arguments for [arguments] in self.rows(query))

    def delete(self, name: str) -> None:
        """Delete the row of a task that cannot succeed."""
        pattern = f"""'%"{name}"%'"""
        condition = f"CAST(arguments AS TEXT) LIKE {pattern}"
        self.execute(f"DELETE FROM task_runs WHERE {condition}")
