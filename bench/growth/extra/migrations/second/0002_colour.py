"""Add one column that may be empty."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("benchextra", "0001_initial")]
    operations = [migrations.AddField("Note", "colour", models.CharField(max_length=20, null=True))]
