"""The page of a project with AI in a browser: upload, search, chat, delete."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    ConsoleMessage,
    Dialog,
    FilePayload,
    Page,
    expect,
    sync_playwright,
)

from bgscaffold.verify.suite.waiting import until
from tests.projects import services
from tests.projects.environments import Environment

Render = Callable[..., Path]
NOTES = b"""\
# Harbour

The lighthouse was built of granite.

# Weather

Fog comes in autumn.
"""
TIMEOUT = 30_000  # milliseconds


@pytest.fixture
def page() -> Iterator[Page]:
    """Return a page of a browser. An error in its console fails the test."""
    [chromium] = services.programs("chromium")
    errors: list[str] = []

    def record(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(message.text)

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(TIMEOUT)
        page.on("console", record)
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        browser.close()
    assert errors == []


def test_upload_watch_search_chat_delete(
    page: Page, rendered: Render, newest: Environment, tmp_path: Path
) -> None:
    with newest.dev(rendered("celery", ai=True)) as dev:
        page.goto(dev.url)
        upload(page, "harbour <b>.md", NOTES)
        row = page.get_by_role("listitem").filter(has_text="harbour <b>.md")
        expect(row).to_contain_text("ready", timeout=TIMEOUT)
        expect(row).to_contain_text("2 passages")
        upload(page, "broken.pdf", b"%PDF-1.7 broken")
        failed = page.locator("li[data-state=failed]")
        expect(failed).to_contain_text("The PDF is broken")
        search(page, "what is the lighthouse built of")
        expect(page.locator("#hits li").first).to_contain_text("built of granite")
        chat(page, "When does fog come?")
        answer = page.locator(".answer")
        expect(answer).to_have_text(re.compile("Fog comes in autumn.*From: "))
        page.screenshot(path=tmp_path / "page.png", full_page=True)
        no_model = page.locator("#no-model")
        expect(no_model).to_contain_text("No language model is configured")
        conversation = f"/chat/{page.evaluate('sessionStorage.conversation')}"
        until(lambda: dev.get(conversation), lambda: f"the exchange\n{dev.screen}")
        model = {"name": "openai:gpt-5.2"}
        page.route("**/chat", lambda route: route.fulfill(json=model))
        page.reload()
        expect(page.locator("li[data-state=ready]")).to_contain_text("2 passages")
        expect(page.locator(".question")).to_have_text("When does fog come?")
        expect(answer).to_contain_text("Fog comes in autumn.")
        expect(no_model).to_be_hidden()
        chat(page, "What was the lighthouse built of?")
        expect(answer.last).to_contain_text("From: ")
        until(lambda: len(dev.get(conversation)) == 2, lambda: f"both\n{dev.screen}")
        delete(page, "harbour <b>.md", confirm=False)
        assert len(dev.get("/documents")) == 2
        delete(page, "harbour <b>.md", confirm=True)
        expect(row).to_have_count(0)
        assert [each["name"] for each in dev.get("/documents")] == ["broken.pdf"]


def upload(page: Page, name: str, content: bytes) -> None:
    """Choose a file and send it, by the names that a screen reader reads."""
    file: FilePayload = {"name": name, "mimeType": "text/plain", "buffer": content}
    page.get_by_label("Files").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    status = page.get_by_role("status").first
    expect(status).to_have_text(f"Uploaded {name}.")


def delete(page: Page, name: str, confirm: bool) -> None:
    """Delete a document, and answer the question of the browser."""
    questions: list[str] = []

    def answer(dialog: Dialog) -> None:
        questions.append(dialog.message)
        (dialog.accept if confirm else dialog.dismiss)()

    page.once("dialog", answer)
    page.get_by_role("button", name=f"Delete {name}").click()
    assert questions == [f"Delete {name}?"]


def search(page: Page, question: str) -> None:
    """Search with the keyboard alone."""
    page.get_by_label("What are you looking for?").fill(question)
    page.keyboard.press("Enter")


def chat(page: Page, message: str) -> None:
    """Ask with the keyboard alone."""
    page.get_by_label("Ask about your documents").fill(message)
    page.keyboard.press("Enter")
