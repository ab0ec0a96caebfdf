"""A trash for artifacts and versions: what lies in it leaves its name, and its content, to others."""

from django.db import migrations, models
from django.db.models import Q

TRASHED = Q(deleted_ms__isnull=False)


def by_whom() -> models.CharField:  # type: ignore[type-arg]
    return models.CharField(blank=True, db_default="", default="", editable=False, max_length=250)


def when() -> models.BigIntegerField:  # type: ignore[type-arg]
    return models.BigIntegerField(blank=True, editable=False, null=True)


class Migration(migrations.Migration):
    dependencies = [("registry", "0017_meanings")]

    operations = [
        migrations.AddField("artifact", "deleted_by", by_whom()),
        migrations.AddField("artifact", "deleted_ms", when()),
        migrations.AddField("artifactversion", "deleted_by", by_whom()),
        migrations.AddField("artifactversion", "deleted_ms", when()),
        migrations.AlterField("artifact", "name", models.CharField(max_length=250)),
        migrations.AddConstraint(
            "artifact",
            models.UniqueConstraint(
                fields=["name"], name="registry_one_artifact_a_name", condition=Q(deleted_ms=None)
            ),
        ),
        migrations.RemoveConstraint("artifactversion", "registry_one_version_a_digest"),
        migrations.AddConstraint(
            "artifactversion",
            models.UniqueConstraint(
                fields=["artifact", "digest"],
                name="registry_one_version_a_digest",
                condition=~Q(digest="") & Q(source="", deleted_ms=None),
            ),
        ),
        migrations.AddIndex(
            "artifact", models.Index(fields=["deleted_ms"], name="registry_artifact_trash", condition=TRASHED)
        ),
        migrations.AddIndex(
            "artifactversion", models.Index(fields=["deleted_ms"], name="registry_version_trash", condition=TRASHED)
        ),
    ]
