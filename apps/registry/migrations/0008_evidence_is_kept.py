"""Refuse to change or delete evidence, approvals and moves of aliases; only a name may become a pseudonym."""

from django.db import migrations

FUNCTION = """
CREATE FUNCTION registry_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    names text[] := TG_ARGV;
    name text;
    told text;
BEGIN
    IF TG_OP <> 'UPDATE' OR to_jsonb(NEW) - names <> to_jsonb(OLD) - names THEN
        RAISE EXCEPTION 'evidence can not be changed or deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOREACH name IN ARRAY names LOOP
        told := to_jsonb(NEW) ->> name;
        IF told IS DISTINCT FROM to_jsonb(OLD) ->> name AND told !~ '^(person:)?erased-[0-9a-f]{12}$' THEN
            RAISE EXCEPTION 'a name in evidence can only become a pseudonym' USING ERRCODE = 'insufficient_privilege';
        END IF;
    END LOOP;
    RETURN NEW;
END $$;
"""
TABLES = {
    "registry_approval": ("given_by", "answers_by"),
    "registry_evidence": ("made_by", "asked_by", "moved_by"),
    "registry_aliasmove": ("moved_by",),
}
TRIGGER = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION registry_refuse_change({names});
"""
FORWARD = FUNCTION + "".join(
    TRIGGER.format(table=table, names=", ".join(f"'{name}'" for name in names)) for table, names in TABLES.items()
)
BACKWARD = "".join(f"DROP TRIGGER {table}_append_only ON {table};" for table in TABLES) + (
    "DROP FUNCTION registry_refuse_change();"
)


class Migration(migrations.Migration):
    dependencies = [("registry", "0007_gates")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
