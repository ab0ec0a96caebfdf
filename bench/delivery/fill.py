"""Fills a tenant with five years of 200 projects: forge facts and runs, in SQL.

    python -m bench.delivery.fill --tenant bench [--projects 200] [--events 2000000]

Of the events 60 % are jobs and pipelines, 25 % commits with their sizes, 10 % pull requests and reviews, 5 % deployments.
"""

import argparse
import os

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()

from django.db import connection as plain
from django_tenants.utils import schema_context

from apps.tenants.models import Tenant

DAYS = 1_826
PROJECTS = """
INSERT INTO tracking_project (id, slug, name, description, problem_class, dataset_facts, team, goal_metric, goal_maximize,
  outcome_source, outcome_set_by, outcome_rule, labels, created_at, starts_at)
SELECT gen_random_uuid(), 'bench-' || n, 'Bench ' || n, '', 'other', '{}', '', '', true, '', '', '', '{}', now(),
  now() - make_interval(days => (n * 7) %% 1800)
FROM generate_series(1, %(projects)s) n"""
CONNECTIONS = """
INSERT INTO tracking_connection (id, project_id, name, kind, address, salt, created_by, created_at)
SELECT gen_random_uuid(), id, slug, 'github', 'mhk_bench_' || slug, '\\x00', '', now()
FROM tracking_project WHERE slug LIKE 'bench-%%'"""
# Each event is of the n-th connection and lies somewhere in five years.
PLACED = """
FROM (SELECT n, now() - random() * make_interval(days => %(days)s) AS at, md5(n::text) || md5(n::text || 'x') AS hex
  FROM generate_series(1, %(n)s) n) e
JOIN (SELECT id, row_number() OVER () - 1 AS place, count(*) OVER () AS of FROM tracking_connection
  WHERE address LIKE 'mhk_bench_%%') c ON c.place = e.n %% c.of"""
PIPELINES = f"""
INSERT INTO tracking_pipeline (id, connection_id, as_of, rank, digest, level, number, attempt, name, sha, branch, state,
  created_at, started_at, finished_at)
SELECT gen_random_uuid(), c.id, at, 2, '', CASE WHEN n %% 4 = 0 THEN 'pipeline' ELSE 'job' END, n::text, 1, 'CI', left(hex, 40),
  'main', CASE WHEN n %% 9 = 0 THEN 'failure' ELSE 'success' END, at, at + random() * interval '9 min',
  at + interval '10 min' + random() * interval '1 hour' {PLACED}"""
COMMITS = f"""
INSERT INTO tracking_commitlines (id, connection_id, as_of, rank, digest, sha, author, committed_at, landed_at, is_merge, is_bot,
  is_revert, is_odd, files, additions, deletions, landed_additions, reworked)
SELECT gen_random_uuid(), c.id, at, 0, '', left(hex, 40), left(md5((n %% 1400)::text), 16), at, at + interval '1 day', n %% 8 = 0,
  n %% 11 = 0, false, false, 3, n %% 300, n %% 120, CASE WHEN n %% 3 = 0 THEN n %% 300 END, CASE WHEN n %% 3 = 0 THEN n %% 30 END
{PLACED}"""
PULLS = f"""
INSERT INTO tracking_pullrequest (id, connection_id, as_of, rank, digest, number, author, is_bot, state, is_draft, opened_at,
  merged_at, closed_at, additions, deletions, changed_files)
SELECT gen_random_uuid(), c.id, at, 2, '', n::text, left(md5((n %% 1400)::text), 16), n %% 9 = 0, 'merged', false, at,
  at + random() * interval '4 days', at, n %% 500, n %% 90, 4 {PLACED}"""
REVIEWS = """
INSERT INTO tracking_review (id, connection_id, as_of, rank, digest, number, reviewer, is_bot, state, at)
SELECT gen_random_uuid(), connection_id, as_of, 0, '', number, 'somebody', false, 'approved', opened_at + interval '3 hours'
FROM tracking_pullrequest"""
DEPLOYMENTS = f"""
INSERT INTO tracking_deployment (id, connection_id, as_of, rank, digest, number, sha, environment, is_production, state, is_hotfix,
  is_rollback, started_at, deployed_at, failed_at)
SELECT gen_random_uuid(), c.id, at, 1, '', n::text, left(hex, 40), 'production', true, 'success', n %% 17 = 0, n %% 23 = 0, at,
  at + interval '5 min', NULL {PLACED}"""


def fill(projects: int, events: int) -> None:
    """Fill the tenant where the database stands."""
    shares = ((PIPELINES, 0.60), (COMMITS, 0.25), (PULLS, 0.05), (REVIEWS, 0.0), (DEPLOYMENTS, 0.05))
    with plain.cursor() as cursor:
        for statement in (PROJECTS, CONNECTIONS):
            cursor.execute(statement, {"projects": projects})
        for statement, part in shares:
            cursor.execute(statement, {"n": round(events * part), "days": DAYS})
        cursor.execute("ANALYZE")


def main() -> None:
    """Fill a tenant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--projects", type=int, default=200)
    parser.add_argument("--events", type=int, default=2_000_000)
    options = parser.parse_args()
    with schema_context(Tenant.objects.get(slug=options.tenant).schema_name):
        fill(options.projects, options.events)


if __name__ == "__main__":
    main()
