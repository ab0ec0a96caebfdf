"""Keep searches for artifacts under names."""

from django.db import migrations, models

import maestro.clock


class Migration(migrations.Migration):
    dependencies = [("registry", "0014_first_gate_spares_prompts")]
    operations = [
        migrations.CreateModel(
            name="SavedSearch",
            fields=[
                (
                    "id",
                    models.UUIDField(default=maestro.clock.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("name", models.CharField(max_length=100)),
                ("owner", models.CharField(max_length=100)),
                (
                    "asked",
                    models.JSONField(default=dict, help_text="the words and facets that are not empty"),
                ),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "ordering": ("name", "id"),
                "constraints": [
                    models.UniqueConstraint(fields=["owner", "name"], name="registry_one_search_a_name")
                ],
            },
        )
    ]
