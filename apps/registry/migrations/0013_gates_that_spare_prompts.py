"""Let a gate count for every kind but prompts."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0012_prompts_by_kind")]
    operations = [
        migrations.AddField(
            model_name="gate",
            name="spares_prompts",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="of any kind but prompts, as the gate that a tenant begins with",
            ),
        )
    ]
