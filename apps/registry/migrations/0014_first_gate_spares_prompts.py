"""Let the gate that every tenant begins with spare prompts, where nobody has changed it: ADR 0010."""

from django.db import migrations

FORWARD = """
UPDATE registry_gate SET spares_prompts = true
WHERE id = '00000000-0000-7000-8000-000000000001' AND revision = 1 AND kind = '' AND artifact_id IS NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0013_gates_that_spare_prompts")]
    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
