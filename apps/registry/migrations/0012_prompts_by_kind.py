"""What MLflow's clients noted as a prompt is one by its kind too."""

from django.db import migrations

BY_KIND = """UPDATE registry_artifact SET kind = 'prompt' WHERE kind = 'model' AND id IN
 (SELECT artifact_id FROM registry_artifacttag WHERE key = 'mlflow.prompt.is_prompt' AND lower(value) = 'true')"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0011_prompt_kind")]

    operations = [migrations.RunSQL(BY_KIND, migrations.RunSQL.noop)]
