"""Keep a log of what operators do, which nobody changes: as in each tenant, by a trigger; migrating takes the rights."""

import django.core.serializers.json
from django.db import migrations, models

import maestro.clock

FORWARD = """
CREATE FUNCTION tenants_refuse_event_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'operator events can not be changed or deleted' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER tenants_event_append_only BEFORE UPDATE OR DELETE ON tenants_operatorevent
    FOR EACH ROW EXECUTE FUNCTION tenants_refuse_event_change();
CREATE TRIGGER tenants_event_no_truncate BEFORE TRUNCATE ON tenants_operatorevent
    FOR EACH STATEMENT EXECUTE FUNCTION tenants_refuse_event_change();
"""
BACKWARD = """
DROP TRIGGER tenants_event_no_truncate ON tenants_operatorevent;
DROP TRIGGER tenants_event_append_only ON tenants_operatorevent;
DROP FUNCTION tenants_refuse_event_change();
"""
ENCODER = django.core.serializers.json.DjangoJSONEncoder


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]
    operations = [
        migrations.CreateModel(
            name="OperatorEvent",
            fields=[
                (
                    "id",
                    models.UUIDField(default=maestro.clock.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("at", models.DateTimeField(auto_now_add=True, db_index=True)),
                ("action", models.CharField(max_length=80)),
                ("actor", models.CharField(max_length=250)),
                ("role", models.CharField(blank=True, max_length=16)),
                ("object_type", models.CharField(blank=True, max_length=80)),
                ("object_id", models.CharField(blank=True, max_length=250)),
                ("before", models.JSONField(encoder=ENCODER, null=True)),
                ("after", models.JSONField(encoder=ENCODER, null=True)),
                ("address", models.GenericIPAddressField(null=True)),
                ("request_id", models.CharField(blank=True, max_length=64)),
            ],
            options={
                "ordering": ("-at", "-id"),
                "indexes": [models.Index(fields=["object_id", "at"], name="tenants_event_object")],
            },
        ),
        migrations.RunSQL([FORWARD], [BACKWARD]),
    ]
