"""Every writing route about forges and incidents, with the change that it makes and the events that this must leave."""

from django.utils import timezone

from apps.tracking.models import Delivery
from tests.factories.stage import V1, Call, Stage, Write


def connection(stage: Stage) -> str:
    """The address of a connection."""
    asked = {"project": stage.project(), "kind": "github", "name": "repo"}
    return f"{V1}connections/{stage.ask('POST', f'{V1}connections/', asked).json()['id']}/"


def read_delivery(stage: Stage) -> Call:
    """Reading again what was read."""
    path = connection(stage)
    row = Delivery.objects.create(
        connection_id=path.split("/")[-2],
        name="d",
        event="push",
        body=b"",
        size_bytes=0,
        received_at=timezone.now(),
        state="failed",
    )
    return Call("POST", f"{path}deliveries/{row.pk}/replay/")


def incident(stage: Stage) -> str:
    """The address of an incident."""
    asked = {"project": stage.project(), "title": "stale scores", "opened_at": "2026-05-04T09:12:00Z"}
    return f"{V1}incidents/{stage.ask('POST', f'{V1}incidents/', asked).json()['id']}/"


WRITES: dict[str, Write] = {
    "POST /api/v1/connections/": Write(
        lambda s: Call("POST", f"{V1}connections/", {"project": s.project(), "kind": "gitlab", "name": "new"}),
        ("connection.make",),
        "admin",
    ),
    "POST /api/v1/connections/<uuid:connection>/rotate/": Write(
        lambda s: Call("POST", f"{connection(s)}rotate/", {}), ("connection.rotate",), "admin"
    ),
    "DELETE /api/v1/connections/<uuid:connection>/": Write(
        lambda s: Call("DELETE", connection(s)), ("connection.close",), "admin"
    ),
    "POST /api/v1/connections/<uuid:connection>/deliveries/<uuid:delivery>/replay/": Write(
        read_delivery, ("delivery.replay",), "admin"
    ),
    "POST /api/v1/incidents/": Write(
        lambda s: Call("POST", f"{V1}incidents/", {"project": s.project(), "title": "stale scores"}), ("incident.open",)
    ),
    "PATCH /api/v1/incidents/<uuid:incident>/": Write(
        lambda s: Call("PATCH", incident(s), {"resolved_at": "2026-05-04T10:00:00Z"}), ("incident.change",)
    ),
    "DELETE /api/v1/incidents/<uuid:incident>/": Write(lambda s: Call("DELETE", incident(s)), ("incident.delete",)),
    "PUT /api/v1/time-zone/": Write(
        lambda s: Call("PUT", f"{V1}time-zone/", {"time_zone": "Europe/Vienna"}), ("time_zone.change",), "admin"
    ),
    "PUT /api/v1/projects/<str:project>/delivery/": Write(
        lambda s: Call(
            "PUT", f"{V1}projects/{s.project()}/delivery/", {"source": "alias", "serving_aliases": ["live"]}
        ),
        ("delivery.rule",),
        "admin",
    ),
}
