"""The registry room: aliases, which point at one version and may move."""

import re

from django.db import transaction

from apps.registry.models import Alias, Artifact, ArtifactVersion
from maestro.errors import Invalid, NotFound

NAME = re.compile(r"[\w-]{1,255}")
NUMBER_LIKE = re.compile(r"v?\d+", re.IGNORECASE)


def check_alias(name: str) -> None:
    """Raise Invalid for a name that could be taken for a version."""
    if not NAME.fullmatch(name) or name.lower() == "latest" or NUMBER_LIKE.fullmatch(name):
        raise Invalid("an alias is made of letters, digits, _ and -, and is neither `latest` nor a number", "bad_alias")


def point(artifact: Artifact, name: str, version: ArtifactVersion) -> tuple[Alias, str]:
    """Set or move an alias. Returns it and the number that it pointed at before, or nothing."""
    check_alias(name)
    with transaction.atomic():
        Artifact.objects.select_for_update().filter(pk=artifact.pk).first()
        old = Alias.objects.select_related("version").filter(artifact=artifact, name=name).first()
        if old is not None and old.version_id == version.pk:
            return old, str(version.number)
        alias, _ = Alias.objects.update_or_create(artifact=artifact, name=name, defaults={"version": version})
    return alias, str(old.version.number) if old else ""


def fetch_alias(artifact: Artifact, name: str) -> Alias:
    """Fetch an alias. Raises NotFound."""
    found = Alias.objects.select_related("version", "artifact").filter(artifact=artifact, name=name).first()
    if found is None:
        raise NotFound(f"{artifact.name} has no alias {name[:100]!r}")
    return found
