"""Two versions beside each other cost no more than what is shown of them."""

from typing import Any

from apps.registry.comparisons import MOST_CARDS, compare
from apps.registry.models import Artifact, ArtifactVersion, VersionFile
from apps.tenants.models import Tenant
from apps.tracking.files import blobs
from maestro.principals import Principal

TIME: dict[str, Any] = {"created_ms": 1, "updated_ms": 1}
MANY = 40


def spelled(number: int) -> str:
    """The name of a card, each letter in one of its two cases."""
    return "".join(letter.upper() if number >> at & 1 else letter for at, letter in enumerate("readme.md"))


def test_of_cards_in_every_spelling_the_first_are_read(acme: Tenant) -> None:
    """A name may be written in any case: 2,048 cards of one content were 400 MB in a worker."""
    artifact = Artifact.objects.create(name="m", **TIME)
    names = sorted({spelled(number) for number in range(MANY)})
    for number, text in ((1, b"# one"), (2, b"# two")):
        version = ArtifactVersion.objects.create(artifact=artifact, number=number, **TIME)
        blob, _ = blobs.store([text], blobs.Promise(len(text), None))
        VersionFile.objects.bulk_create(VersionFile(version=version, path=name, blob=blob) for name in names)
    one, two = ArtifactVersion.objects.order_by("number")
    found = compare(one, two, Principal("person", "1", "v", "viewer", "acme"))
    assert len(found.files) == len(names)
    assert [(words.name, words.before, words.after) for words in found.words] == [
        (name, "# one", "# two") for name in names[:MOST_CARDS]
    ]
