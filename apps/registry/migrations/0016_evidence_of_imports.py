"""Say of evidence that an import brought an alias or a stage."""

from django.db import migrations, models

ACTS = [("promotion", "Promotion"), ("rollback", "Rollback"), ("removal", "Removal"), ("import", "Import")]


class Migration(migrations.Migration):
    dependencies = [("registry", "0015_saved_searches")]
    operations = [
        migrations.AlterField("evidence", "act", models.CharField(choices=ACTS, max_length=10)),
    ]
