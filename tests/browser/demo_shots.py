"""Pictures of a running demo for the docs: `python -m tests.browser.demo_shots [.maestro/demo.env [docs/img]]`.

Signs in as the demo's user, finds its way by clicking, and writes one picture a page, so that what the docs show
is the demo's real history.
"""

import os
import sys
import time
from pathlib import Path
from urllib.parse import quote

import mlflow
from playwright.sync_api import Page, sync_playwright

from tests.browser.chromium import ARGUMENTS, CHROMIUM

RUN_LINKS = "table[data-rows] tbody th a"
# Where the traced program comes from, whoever takes the pictures and wherever they do.
SOURCE = {
    "mlflow.source.name": "answers.py",
    "mlflow.source.git.repoURL": "https://git.example.org/answers.git",
    "mlflow.source.git.branch": "main",
}
OF_MODEL = "params.model = 'lightgbm'"
PLAIN = {
    "impact": "impact/",
    "trainings": "impact/trainings/",
    "calibration": "impact/calibration/",
    "what-if": "what-if/",
    "projects": "tracking/project/",
    "experiments": "tracking/experiment/",
    "artifacts": "registry/artifact/",
    "settings": "settings/",
    "keys": "access/apikey/",
    "audit": "access/auditevent/",
}


def read_env(path: Path) -> dict[str, str]:
    """The demo's addresses and one-time password."""
    lines = (line.partition("=") for line in path.read_text().splitlines())
    return {name: value for name, found, value in lines if found}


@mlflow.trace(span_type="RETRIEVER")
def find_passages(question: str) -> list[str]:
    """A step of the traced program."""
    time.sleep(0.02 + 0.001 * len(question))
    return ["Runs are compared by their metrics.", "A lost run wrote nothing for an hour."]


@mlflow.trace(span_type="CHAT_MODEL")
def ask_model(question: str, passages: list[str]) -> str:
    """Another step."""
    time.sleep(0.08)
    return f"{len(passages)} passages say: {passages[0]}"


@mlflow.trace(name="answer a question", span_type="CHAIN")
def answer(question: str) -> str:
    """The traced program."""
    mlflow.update_current_trace(metadata=SOURCE)
    return ask_model(question, find_passages(question))


def log_traces(env: dict[str, str]) -> None:
    """Trace a small program by the stock client, for the pages of traces. The history that the demo loads has none."""
    os.environ["MLFLOW_TRACKING_TOKEN"] = env["MAESTRO_TOKEN"]
    mlflow.set_tracking_uri(env["MAESTRO_URL"])
    mlflow.set_experiment("answers")
    for question in ("Which run is best?", "Why was it lost?", "What does the schema say?", "Who made it?"):
        answer(question)
    mlflow.flush_trace_async_logging()


def sign_in(page: Page, env: dict[str, str]) -> None:
    """Open the tenant's admin."""
    page.goto(env["MAESTRO_ADMIN_URL"])
    page.fill("#id_username", env["MAESTRO_USER"])
    page.fill("#id_password", env["MAESTRO_PASSWORD"])
    page.click("input[type=submit]")
    page.wait_for_selector(".person")


def shoot(page: Page, path: Path) -> None:
    """One picture, after every chart that is in sight is drawn."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)
    page.screenshot(path=path)


def go(page: Page, url: str, path: Path) -> None:
    """Open a page and take its picture."""
    page.goto(url)
    shoot(page, path)


def walk(page: Page, folder: Path, mark: str) -> None:
    """Home, lists, charts, a comparison, a run and its files, a project, artifacts, impact, settings."""
    home = page.url
    shoot(page, folder / f"home{mark}.png")
    for name, path in PLAIN.items():
        go(page, f"{home}{path}", folder / f"{name}{mark}.png")
    go(page, f"{home}tracking/run/?q={quote(OF_MODEL)}", folder / f"runs{mark}.png")
    page.locator(RUN_LINKS).first.click()
    shoot(page, folder / f"run{mark}.png")
    page.locator(".breadcrumbs a").nth(1).click()
    shoot(page, folder / f"project{mark}.png")
    page.get_by_role("link", name="Runs", exact=True).last.click()
    page.wait_for_selector("#run-form")
    listed = page.url
    runs = [box.get_attribute("value") for box in page.locator("input[type=checkbox][name=run]").all()[:6]]
    some = "&".join(f"run={run}" for run in runs)
    go(page, f"{listed}&view=charts&{some}", folder / f"run-charts{mark}.png")
    page.goto(listed)
    page.locator("[data-views]").click()
    shoot(page, folder / f"views{mark}.png")
    go(page, f"{home}compare/?{some}", folder / f"compare{mark}.png")
    page.goto(f"{home}registry/artifact/")
    page.locator("#result_list tbody th a").first.click()
    shoot(page, folder / f"artifact{mark}.png")
    page.locator(RUN_LINKS).first.click()
    shoot(page, folder / f"version{mark}.png")
    go(page, f"{home}tracking/trace/", folder / f"traces{mark}.png")
    page.locator(RUN_LINKS).first.click()
    shoot(page, folder / f"trace{mark}.png")


def main(env: Path = Path(".maestro/demo.env"), folder: Path = Path("docs/img")) -> None:
    """Wide and light, then narrow and dark."""
    folder.mkdir(parents=True, exist_ok=True)
    values = read_env(env)
    log_traces(values)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        for width, height, theme, mark in ((1440, 900, "light", ""), (390, 844, "dark", "-narrow")):
            window = {"width": width, "height": height}
            page = browser.new_context(viewport=window, color_scheme=theme).new_page()  # type: ignore[arg-type]
            sign_in(page, values)
            walk(page, folder, mark)
        browser.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
