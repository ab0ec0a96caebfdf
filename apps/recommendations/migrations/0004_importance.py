"""Questions which params of an experiment's runs go with a metric."""

import django.db.models.deletion
from django.db import migrations, models

import maestro.clock


class Migration(migrations.Migration):
    """One new table, empty."""

    dependencies = [("recommendations", "0003_narrowest_estimates"), ("tracking", "0017_forge_facts")]

    operations = [
        migrations.CreateModel(
            name="Importance",
            fields=[
                (
                    "id",
                    models.UUIDField(default=maestro.clock.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("done", "Done"), ("failed", "Failed")],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("answer", models.JSONField(blank=True, default=dict)),
                ("reason", models.TextField(blank=True)),
                ("asked_by", models.CharField(blank=True, max_length=250)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("started_at", models.DateTimeField(blank=True, help_text="when a worker took it", null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("metric", models.CharField(max_length=250)),
                (
                    "experiment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="importances",
                        to="tracking.experiment",
                    ),
                ),
            ],
            options={"ordering": ("-created_at",), "abstract": False},
        )
    ]
