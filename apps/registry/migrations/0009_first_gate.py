"""Put the gate that every tenant begins with before what serves: ADR 0010."""

from django.db import migrations

FORWARD = """
INSERT INTO registry_gate (id, name, kind, aliases, stages, metrics, files, sections, needs_signature, approvals, revision,
    changed_by, changed_at)
VALUES ('00000000-0000-7000-8000-000000000001', 'What serves', '', '{production,serving}', '{Production}', '[]', '{}', '{}',
    false, 1, 1, 'system', now())
ON CONFLICT DO NOTHING;
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0008_evidence_is_kept")]
    operations = [
        migrations.RunSQL(FORWARD, "DELETE FROM registry_gate WHERE id = '00000000-0000-7000-8000-000000000001'")
    ]
