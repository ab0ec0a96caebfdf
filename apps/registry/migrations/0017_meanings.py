"""Keep what artifacts mean, as vectors of the optional model."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0016_evidence_of_imports")]
    operations = [
        migrations.CreateModel(
            name="Meaning",
            fields=[
                (
                    "artifact",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="meaning",
                        serialize=False,
                        to="registry.artifact",
                    ),
                ),
                ("updated_ms", models.BigIntegerField(help_text="of the artifact as it was read")),
                ("model", models.CharField(max_length=40)),
                (
                    "vector",
                    django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), size=None),
                ),
            ],
        )
    ]
