"""Every writing route about webhooks of ours, with the change that it makes and the events that this must leave."""

from datetime import timedelta

from django.utils import timezone

from apps.tracking.models import Notice, Telling
from tests.factories.stage import V1, Call, Stage, Write

FIELDS = {"name": "new", "url": "https://receiver.invalid/hook", "events": ["run.failed", "run.lost"]}


def webhook(stage: Stage) -> str:
    """The address of a webhook."""
    return f"{V1}webhooks/{stage.ask('POST', f'{V1}webhooks/', FIELDS).json()['id']}/"


def replay(stage: Stage) -> Call:
    """Sending again what did not arrive."""
    path, at = webhook(stage), timezone.now() - timedelta(days=1)
    notice = Notice.objects.create(event="run.lost", at=at, is_spread=True)
    kept = {"next_at": at, "created_at": at, "state": "failed"}
    row = Telling.objects.create(webhook_id=path.split("/")[-2], notice=notice, **kept)
    return Call("POST", f"{path}deliveries/{row.pk}/replay/")


ONE = "/api/v1/webhooks/<uuid:webhook>/"
WRITES: dict[str, Write] = {
    "POST /api/v1/webhooks/": Write(lambda s: Call("POST", f"{V1}webhooks/", FIELDS), ("webhook.make",), "admin"),
    f"PATCH {ONE}": Write(lambda s: Call("PATCH", webhook(s), {"state": "paused"}), ("webhook.change",), "admin"),
    f"DELETE {ONE}": Write(lambda s: Call("DELETE", webhook(s)), ("webhook.close",), "admin"),
    f"POST {ONE}rotate/": Write(lambda s: Call("POST", f"{webhook(s)}rotate/", {}), ("webhook.rotate",), "admin"),
    f"POST {ONE}deliveries/<uuid:telling>/replay/": Write(replay, ("webhook.replay",), "admin"),
}
