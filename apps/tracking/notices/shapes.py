"""The tracking room: what a webhook is told, written as it wants it: Maestro's own JSON, MLflow's, or a line for a chat."""

from collections.abc import Callable
from typing import Any

import orjson

from apps.tracking.models import Notice, Webhook
from apps.tracking.notices.sentences import sentence

CARD = "application/vnd.microsoft.card.adaptive"


def data_of(notice: Notice, *, sees_all: bool) -> dict[str, Any]:
    """What is told of something that happened: no more than who reaches its project may know."""
    project = notice.project.slug if notice.project else None
    return {"project": project} | notice.data | (notice.wide if sees_all else {})


def ours(notice: Notice, data: dict[str, Any]) -> dict[str, Any]:
    """Standard Webhooks' three: type, timestamp, data."""
    return {"type": notice.event, "timestamp": notice.at.isoformat(), "data": data}


def mlflow(notice: Notice, data: dict[str, Any]) -> dict[str, Any]:
    """MLflow's own: entity, action, timestamp, data."""
    entity, _, action = notice.mlflow_event.partition(".")
    return {"entity": entity, "action": action, "timestamp": notice.at.isoformat(), "data": data.get("mlflow", {})}


def slack(notice: Notice, data: dict[str, Any]) -> dict[str, Any]:
    """A line of text, in which nothing is a link or a name that calls somebody."""
    text = sentence(notice.event, data)
    for char, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(char, written)
    return {"text": text, "unfurl_links": False, "unfurl_media": False}


def teams(notice: Notice, data: dict[str, Any]) -> dict[str, Any]:
    """A card with a line of text; a run of text, unlike a block of it, is not read as Markdown."""
    line = {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": sentence(notice.event, data)}]}
    card = {"type": "AdaptiveCard", "version": "1.4", "body": [line]}
    return {"type": "message", "attachments": [{"contentType": CARD, "content": card}]}


WRITERS: dict[str, Callable[[Notice, dict[str, Any]], dict[str, Any]]] = {
    Webhook.Format.MAESTRO: ours,
    Webhook.Format.MLFLOW: mlflow,
    Webhook.Format.SLACK: slack,
    Webhook.Format.TEAMS: teams,
}


def body_of(webhook: Webhook, notice: Notice) -> bytes:
    """Write what a webhook is told."""
    data = data_of(notice, sees_all=webhook.project_id is None)
    if webhook.format == Webhook.Format.MAESTRO:
        data.pop("mlflow", None)
    return orjson.dumps(WRITERS[webhook.format](notice, data))
