"""Keep in which problem classes an artifact was used, and for which class advice and forecasts were made."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Nullable columns and constant defaults; nothing is rewritten."""

    dependencies = [("recommendations", "0002_whatif_started_at")]

    operations = [
        migrations.AddField(
            model_name="impactscore",
            name="used_by_class",
            field=models.JSONField(blank=True, help_text="problem class: how many of its projects used it", null=True),
        ),
        migrations.AddField(
            model_name="advice",
            name="pooled",
            field=models.BooleanField(default=False, help_text="the number is over all problem classes"),
        ),
        migrations.AddField(
            model_name="advice",
            name="problem_class",
            field=models.CharField(blank=True, help_text="the project's when this was advised", max_length=20),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="forecast",
            name="pooled",
            field=models.BooleanField(default=False, help_text="too few of the outcomes are of the project's class"),
        ),
        migrations.AddField(
            model_name="forecast",
            name="outside",
            field=models.JSONField(blank=True, default=list, help_text="what lies outside of the history"),
        ),
    ]
