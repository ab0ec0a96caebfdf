"""Searches of runs as tests make them: page by page."""

from typing import Any

from tests.factories.door import Door


def search_all(door: Door, size: int, **body: Any) -> list[str]:
    """Search page by page."""
    found: list[str] = []
    token = None
    while True:
        answer = door.post("runs/search", body | {"max_results": size} | ({"page_token": token} if token else {}))
        page = [run["info"]["run_id"] for run in answer.get("runs", [])]
        assert len(page) <= size
        found += page
        token = answer.get("next_page_token")
        if not token:
            return found
