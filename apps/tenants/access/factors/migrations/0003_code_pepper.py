"""Note with which pepper a recovery code was digested; of older codes it is not known."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("factors", "0002_sessions")]
    operations = [
        migrations.AddField(
            "recoverycode",
            "pepper",
            models.CharField(default="", editable=False, help_text="the mark of the digest's pepper", max_length=8),
        ),
    ]
