"""Say when a worker took a question, so that a page can tell a slow worker from none."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """One nullable column; nothing is rewritten."""

    dependencies = [("recommendations", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="whatif",
            name="started_at",
            field=models.DateTimeField(blank=True, help_text="when a worker took it", null=True),
        ),
    ]
