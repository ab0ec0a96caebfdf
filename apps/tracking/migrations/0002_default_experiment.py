"""Put the default project and MLflow's experiment 0 into every tenant."""

from django.db import migrations

FORWARD = """
INSERT INTO tracking_project (id, slug, name, description, problem_class, dataset_facts, team, goal_metric,
    goal_maximize, outcome_source, outcome_set_by, outcome_rule, labels, created_at)
VALUES ('00000000-0000-7000-8000-000000000000', 'default', 'Default', '', 'other', '{}', '', '', true, '', '', '',
    '{}', now());
INSERT INTO tracking_experiment (id, project_id, name, created_ms, updated_ms)
VALUES (0, '00000000-0000-7000-8000-000000000000', 'Default', 0, 0);
"""


class Migration(migrations.Migration):
    dependencies = [("tracking", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, "DELETE FROM tracking_experiment; DELETE FROM tracking_project")]
