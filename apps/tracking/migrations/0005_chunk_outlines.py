"""Let a chunk carry its outline, so that a thinned curve needs none of its points. Older chunks get theirs by folding."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tracking", "0004_saved_views")]
    operations = [
        migrations.AddField("metricchunk", "outline", models.BinaryField(null=True)),
        migrations.AddField(
            "metricchunk",
            "is_ascending",
            models.BooleanField(
                db_default=False,
                default=False,
                help_text="each step is greater than the one before",
            ),
        ),
    ]
