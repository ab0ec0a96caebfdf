"""The registry room's MLflow door: the calls that models and versions have alike: description and notes."""

from typing import Any

from django.http import HttpRequest

from apps.registry import notes
from apps.registry.mlflow.base import RegistryView, read_tag
from apps.tenants.access.people.principal import acting
from maestro import limits
from maestro.mlflow import fields as read


class OwnedView(RegistryView):
    """A call that changes one row: a registered model or a version of one."""

    def own(self, request: HttpRequest, fields: dict[str, Any]) -> Any:
        """Fetch the row to be changed. Raises NotFound or Forbidden."""
        raise NotImplementedError


class SetNote(OwnedView):
    """POST …/set-tag"""

    def post(self, request: HttpRequest) -> dict[str, Any]:
        """Write a note; one that says the same already is left alone."""
        fields = self.fields(request)
        key, value = read_tag(fields, limits.REGISTRY_TAG_VALUE_CHARS)
        notes.tag(self.own(request, fields), {key: value}, acting(request))
        return {}


class DeleteNote(OwnedView):
    """DELETE …/delete-tag"""

    def delete(self, request: HttpRequest) -> dict[str, Any]:
        """Take a note off; a missing one is no error."""
        fields = self.fields(request)
        key = read.text(fields, "key", limits.KEY_CHARS)
        notes.untag(self.own(request, fields), [key], acting(request))
        return {}
