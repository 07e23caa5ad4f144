"""The page of a project with AI, in a real browser: upload, watch, search, chat, delete."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Dialog, FilePayload, Page, expect, sync_playwright

from bgscaffold.verify.suite.waiting import until
from tests.projects import services
from tests.projects.environments import Environment

Render = Callable[..., Path]
NOTES = b"# Harbour\n\nThe lighthouse was built of granite.\n\n# Weather\n\nFog comes in autumn.\n"
QUICK = 10_000  # milliseconds


@pytest.fixture
def page() -> Iterator[Page]:
    """Return a page of a browser; whatever its console calls an error fails the test."""
    [chromium] = services.programs("chromium")
    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(QUICK)
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        browser.close()
    assert errors == []


@pytest.mark.parametrize("pattern", ["simple", "celery"])
def test_upload_watch_search_chat_delete(
    pattern: str, page: Page, rendered: Render, newest: Environment, tmp_path: Path
) -> None:
    with newest.dev(rendered(pattern, ai=True)) as dev:
        page.goto(dev.url)
        upload(page, "harbour <b>.md", NOTES)
        row = page.get_by_role("listitem").filter(has_text="harbour <b>.md")
        expect(row).to_contain_text("ready", timeout=QUICK)
        expect(row).to_contain_text("2 passages")
        upload(page, "broken.pdf", b"%PDF-1.7 broken")
        expect(page.locator("li[data-state=failed]")).to_contain_text("It is a broken PDF")
        search(page, "what is the lighthouse built of")
        expect(page.locator("#found li").first).to_contain_text("built of granite")
        chat(page, "When does fog come?")
        expect(page.locator(".answer")).to_have_text(re.compile("Fog comes in autumn.*From: "))
        page.screenshot(path=tmp_path / "page.png", full_page=True)
        expect(page.locator("#no-model")).to_contain_text("No language model is configured")
        noted = f"/chat/{page.evaluate('sessionStorage.conversation')}"
        until(lambda: dev.get(noted), lambda: f"the note of it\n{dev.screen}")
        page.route("**/chat", lambda route: route.fulfill(json={"name": "openai:gpt-5.2"}))
        page.reload()
        expect(page.locator("li[data-state=ready]")).to_contain_text("2 passages")
        expect(page.locator(".asked")).to_have_text("When does fog come?")
        expect(page.locator(".answer")).to_contain_text("Fog comes in autumn.")
        expect(page.locator("#no-model")).to_be_hidden()
        chat(page, "What was the lighthouse built of?")
        expect(page.locator(".answer").last).to_contain_text("From: ")
        until(lambda: len(dev.get(noted)) == 2, lambda: f"both in one\n{dev.screen}")
        delete(page, "harbour <b>.md", sure=False)
        assert len(dev.get("/documents")) == 2
        delete(page, "harbour <b>.md", sure=True)
        expect(row).to_have_count(0)
        assert [each["name"] for each in dev.get("/documents")] == ["broken.pdf"]


def upload(page: Page, name: str, content: bytes) -> None:
    """Choose a file and send it, as somebody who cannot see the page would."""
    file: FilePayload = {"name": name, "mimeType": "text/plain", "buffer": content}
    page.get_by_label("Files").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("status").first).to_have_text(
        "Uploaded. It is being read in the background."
    )


def delete(page: Page, name: str, sure: bool) -> None:
    """Delete a document, and say whether that was meant."""
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        (dialog.accept if sure else dialog.dismiss)()

    page.once("dialog", answer)
    page.get_by_role("button", name=f"Delete {name}").click()
    assert asked == [f"Delete {name}?"]


def search(page: Page, question: str) -> None:
    """Search with the keyboard alone."""
    page.get_by_label("What are you looking for?").fill(question)
    page.keyboard.press("Enter")


def chat(page: Page, message: str) -> None:
    """Ask with the keyboard alone."""
    page.get_by_label("Ask about your documents").fill(message)
    page.keyboard.press("Enter")
