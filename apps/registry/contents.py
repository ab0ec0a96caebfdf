"""The registry room: bytes by their digest, as far as somebody may name them: what they brought, or see in a file."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from apps.registry.models import LoggedModelFile, VersionFile
from apps.registry.scoping import artifacts_for
from apps.tracking.files import blobs
from apps.tracking.models import Blob, Offer, RunFile, TraceFile
from apps.tracking.scoping import experiments_for, runs_for, traces_for
from maestro.principals import Actor, Principal


def bring(chunks: Iterable[bytes], promise: blobs.Promise, *, by: Principal) -> tuple[Blob, bool]:
    """Take in bytes that a version will name. Says whether they are new, as far as this principal may know."""
    blob, is_new = blobs.store(chunks, promise)
    if by.projects is None:
        return blob, is_new
    with transaction.atomic():
        is_known = bool(nameable(by, [blob.pk]))
        Offer.objects.update_or_create(sha256=blob.pk, owner=owner_of(by), defaults={"at": timezone.now()})
    return blob, not is_known


def nameable(by: Principal | Actor, digests: Iterable[str]) -> dict[str, Blob]:
    """Find the bytes that a principal may name: any of the tenant's, or what they brought and the files they see."""
    found = Blob.objects.filter(pk__in=list(digests))
    if by.projects is not None:
        here = OuterRef("pk")
        found = found.filter(
            Exists(Offer.objects.filter(sha256=here, owner=owner_of(by)))
            | Exists(RunFile.objects.filter(blob=here, run__in=runs_for(by)))
            | Exists(VersionFile.objects.filter(blob=here, version__artifact__in=artifacts_for(by)))
            | Exists(LoggedModelFile.objects.filter(blob=here, model__experiment__in=experiments_for(by)))
            | Exists(TraceFile.objects.filter(blob=here, trace__in=traces_for(by)))
        )
    return {blob.pk: blob for blob in found}


def owner_of(by: Principal | Actor) -> str:
    """Name who brings bytes: a kind and an id, which no other person or key has."""
    who = by.who if isinstance(by, Actor) else by
    return f"{who.kind}:{who.id}" if who else by.name
