"""The registry room's MLflow door: the calls that models and versions have alike: description and notes."""

from typing import Any, ClassVar, NamedTuple

from django.db import transaction
from django.http import HttpRequest

from apps.registry.actions import Act
from apps.registry.mlflow.base import RegistryView, read_tag
from apps.tenants.access.audit.recording import record
from maestro import limits
from maestro.clock import now_ms
from maestro.mlflow import fields as read

AUDITED_CHARS = 1_000


class NoteActs(NamedTuple):
    """What changes of a row's description and notes are called in the log."""

    change: Act
    tag: Act
    untag: Act


class OwnedView(RegistryView):
    """A call that changes one row: a registered model or a version of one."""

    acts: ClassVar[NoteActs]

    def own(self, request: HttpRequest, fields: dict[str, Any]) -> Any:
        """Fetch the row to be changed. Raises NotFound or Forbidden."""
        raise NotImplementedError

    def shown(self, row: Any) -> dict[str, Any]:
        """Show the row as it is stored now."""
        raise NotImplementedError


class Describe(OwnedView):
    """PATCH …/update"""

    def patch(self, request: HttpRequest) -> dict[str, Any]:
        """Change the description."""
        fields = self.fields(request)
        with transaction.atomic():
            found = self.own(request, fields)
            before, after = found.description, read.text_or(fields, "description")
            type(found).objects.filter(pk=found.pk).update(description=after, updated_ms=now_ms())
            old, new = {"description": before}, {"description": after}
            record(request, self.acts.change, subject=found, before=old, after=new)
        return self.shown(found)


class SetNote(OwnedView):
    """POST …/set-tag"""

    def post(self, request: HttpRequest) -> dict[str, Any]:
        """Write a note; one that says the same already is left alone."""
        fields = self.fields(request)
        key, value = read_tag(fields, limits.REGISTRY_TAG_VALUE_CHARS)
        with transaction.atomic():
            found = self.own(request, fields)
            note = held_note(found, key)
            if note is None or note.value != value:
                found.tags.update_or_create(key=key, defaults={"value": value})
                before = audited(key, note.value) if note else None
                record(request, self.acts.tag, subject=found, before=before, after=audited(key, value))
        return {}


class DeleteNote(OwnedView):
    """DELETE …/delete-tag"""

    def delete(self, request: HttpRequest) -> dict[str, Any]:
        """Take a note off; a missing one is no error."""
        fields = self.fields(request)
        key = read.text(fields, "key", limits.KEY_CHARS)
        with transaction.atomic():
            found = self.own(request, fields)
            note = held_note(found, key)
            if note is not None:
                note.delete()
                record(request, self.acts.untag, subject=found, before=audited(key, note.value))
        return {}


def held_note(row: Any, key: str) -> Any:
    """Return the note of a name, held until the change is done; None if there is none."""
    return row.tags.select_for_update().filter(key=key).first()


def audited(key: str, value: str) -> dict[str, str]:
    """Show a note to the audit; it keeps the head of a long one."""
    return {"tag": key, "value": value[:AUDITED_CHARS]}
