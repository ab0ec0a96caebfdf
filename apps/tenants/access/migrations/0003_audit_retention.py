"""Let the log be searched at any length, and pruned by the owner's function alone."""

import django.core.validators
from django.db import migrations, models

# A function of the owner's, called by the tenant's role, which itself may not delete. It takes no cut-off: it reads the
# tenant's own retention, keeps 30 days at least, and records what it did. Names are whole and its path is pinned, so
# that a caller's path or temporary tables lead it nowhere else.
PRUNE = """
DO $make$
BEGIN
EXECUTE replace($body$
CREATE FUNCTION access_prune_audit(most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $prune$
DECLARE
    kept integer;
    cut timestamptz;
    gone integer;
    newest timestamptz;
BEGIN
    SELECT keep_days INTO kept FROM @schema@.access_auditretention;
    IF kept IS NULL THEN
        RETURN 0;
    END IF;
    cut := now() - make_interval(days => greatest(kept, 30));
    PERFORM set_config('maestro.pruning', 'on', true);
    WITH old AS (SELECT id FROM @schema@.access_auditevent WHERE at < cut ORDER BY at, id LIMIT least(most, 100000)),
    deleted AS (DELETE FROM @schema@.access_auditevent e USING old WHERE e.id = old.id RETURNING e.at)
    SELECT count(*), max(at) INTO gone, newest FROM deleted;
    PERFORM set_config('maestro.pruning', '', true);
    IF gone > 0 THEN
        INSERT INTO @schema@.access_auditevent
            (id, at, action, actor, role, object_type, object_id, before, after, address, request_id)
        VALUES (gen_random_uuid(), clock_timestamp(), 'audit.prune', 'database:' || session_user, '', 'AuditEvent', 'pruned',
            jsonb_build_object('events', gone, 'until', newest), jsonb_build_object('keep_days', kept), NULL, '');
    END IF;
    RETURN gone;
END $prune$
$body$, '@schema@', quote_ident(current_schema()));
END $make$
"""
NO_PRUNE = "DROP FUNCTION access_prune_audit(integer)"
REFUSE = """
CREATE OR REPLACE FUNCTION access_refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.at < now() - interval '30 days' AND current_setting('maestro.pruning', true) = 'on' THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'audit events can not be changed or deleted' USING ERRCODE = 'insufficient_privilege';
END $$
"""
REFUSE_BEFORE = """
CREATE OR REPLACE FUNCTION access_refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events can not be changed or deleted' USING ERRCODE = 'insufficient_privilege';
END $$
"""
TRUNCATE = """
CREATE TRIGGER access_audit_no_truncate BEFORE TRUNCATE ON access_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION access_refuse_audit_change()
"""
NO_TRUNCATE = "DROP TRIGGER access_audit_no_truncate ON access_auditevent"
DAYS = [django.core.validators.MinValueValidator(30), django.core.validators.MaxValueValidator(36500)]


class Migration(migrations.Migration):
    dependencies = [("access", "0002_append_only_audit")]
    operations = [
        migrations.AlterModelOptions(name="auditevent", options={"ordering": ("-at", "-id")}),
        migrations.AddIndex("auditevent", models.Index(fields=["at", "id"], name="access_audit_time")),
        migrations.AddIndex("auditevent", models.Index(fields=["action", "at", "id"], name="access_audit_action")),
        migrations.AddIndex("auditevent", models.Index(fields=["actor", "at", "id"], name="access_audit_actor")),
        migrations.AddIndex("auditevent", models.Index(fields=["request_id"], name="access_audit_request")),
        migrations.CreateModel(
            name="AuditRetention",
            fields=[
                ("id", models.SmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                (
                    "keep_days",
                    models.PositiveIntegerField(
                        blank=True,
                        null=True,
                        validators=DAYS,
                        help_text="30 to 36500 days; empty keeps everything",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "audit retention",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(id=1), name="access_retention_is_one"),
                    models.CheckConstraint(
                        condition=models.Q(keep_days=None) | models.Q(keep_days__range=(30, 36500)),
                        name="access_retention_days",
                    ),
                ],
            },
        ),
        migrations.RunSQL([REFUSE], [REFUSE_BEFORE]),
        migrations.RunSQL([TRUNCATE], [NO_TRUNCATE]),
        migrations.RunSQL([PRUNE], [NO_PRUNE]),
    ]
