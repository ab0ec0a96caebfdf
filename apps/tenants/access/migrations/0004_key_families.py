"""Give every key a family, and say what made it. Keys of today are families of their own."""

import uuid

import django.contrib.postgres.functions
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

CASCADE = django.db.models.deletion.CASCADE


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("access", "0003_audit_retention"),
    ]
    operations = [
        migrations.AddField(
            "apikey",
            "family",
            models.UUIDField(
                db_default=django.contrib.postgres.functions.RandomUUID(),
                db_index=True,
                default=uuid.uuid4,
                editable=False,
            ),
        ),
        migrations.AddField(
            "apikey",
            "parent",
            models.ForeignKey(editable=False, null=True, on_delete=CASCADE, related_name="made", to="access.apikey"),
        ),
        migrations.AddField(
            "apikey",
            "person",
            models.ForeignKey(
                editable=False,
                null=True,
                on_delete=CASCADE,
                related_name="issued_keys",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            "apikey",
            "publisher",
            models.ForeignKey(
                editable=False, null=True, on_delete=CASCADE, related_name="keys", to="access.trustedpublisher"
            ),
        ),
    ]
