"""`uv run poe dev` in a project, as a user runs it."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import httpx2

from bgscaffold.verify.suite.terminal import Terminal
from bgscaffold.verify.suite.waiting import TIMEOUT, until


class Dev(Terminal):
    """`uv run poe dev` in a project, once it serves."""

    def __init__(self, *command: str, cwd: Path, env: Mapping[str, str]) -> None:
        # Port 0 is one that is free, found without a race. The API prints which.
        super().__init__(*command, cwd=cwd, env={**env, "UVICORN_PORT": "0"})
        self.folder = cwd
        self._client = httpx2.Client(timeout=TIMEOUT, trust_env=False)

    def __enter__(self) -> Self:
        try:
            self.follow(starts=1)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()
        super().__exit__(*error)

    def follow(self, starts: int) -> None:
        """Wait until the API has started so many times, and talk to the last one."""
        self._client.base_url = until(
            lambda: self._served(starts),
            lambda: f"start {starts} of the API:\n{self.screen}",
        )

    def _served(self, starts: int) -> str:
        assert self.process.poll() is None, f"it has ended:\n{self.screen}"
        found = re.findall(r"running on (http://127\.0\.0\.1:\d+)", self.screen)
        return found[starts - 1] if len(found) >= starts else ""

    def text(self, path: str) -> str:
        """Return what the API answers, as text."""
        return self._client.get(path).text

    @property
    def url(self) -> str:
        """Where the API answers."""
        return str(self._client.base_url).rstrip("/")

    def get(self, path: str, **parameters: str | int) -> Any:
        """Return what the API answers, as JSON."""
        return self._client.get(path, params=parameters).json()

    def post(self, path: str, **body: str) -> str:
        """Send a request that enqueues a task, and return its task_id."""
        answer = self._client.post(path, json=body)
        assert answer.status_code == 202, f"{answer.text}\n{self.screen}"
        task_id: str = answer.json()["task_id"]
        return task_id

    def upload(self, name: str, content: bytes) -> str:
        """Upload a document, and return its id."""
        answer = self._client.post("/documents", files={"file": (name, content)})
        assert answer.status_code == 202, f"{answer.text}\n{self.screen}"
        document_id: str = answer.json()["document_id"]
        return document_id

    def read(self, path: str, complete: Callable[[str], bool] = bool) -> str:
        """Return what a task has written to a file, as soon as it is complete."""

        def written() -> str:
            files = [
                file.read_text(encoding="utf-8") for file in self.folder.glob(path)
            ]
            return files[0] if files and complete(files[0]) else ""

        return until(written, lambda: f"{path}:\n{self.screen}")

    def wait_until_succeeded(self, task_id: str) -> None:
        """Wait until the status of a task run says so."""
        address = f"/tasks/{task_id}"
        until(
            lambda: self.get(address)["state"] == "succeeded",
            lambda: f"success: {self.get(address)}\n{self.screen}",
        )
