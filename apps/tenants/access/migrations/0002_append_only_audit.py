"""Refuse to change or delete audit events, whoever asks."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION access_refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events can not be changed or deleted' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER access_audit_append_only BEFORE UPDATE OR DELETE ON access_auditevent
    FOR EACH ROW EXECUTE FUNCTION access_refuse_audit_change();
"""
BACKWARD = """
DROP TRIGGER access_audit_append_only ON access_auditevent;
DROP FUNCTION access_refuse_audit_change();
"""


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
