"""Note with which pepper a key was digested; of older keys it is not known until they are next used."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0005_keys_of_people")]
    operations = [
        migrations.AddField(
            "apikey",
            "pepper",
            models.CharField(default="", editable=False, help_text="the mark of the digest's pepper", max_length=8),
        ),
    ]
