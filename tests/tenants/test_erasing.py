"""Erasing a tenant, on a server whose roles are shared with other databases."""

import psycopg
from django.conf import settings
from psycopg import sql

from apps.tenants import provisioning
from apps.tenants.models import Tenant
from maestro.database.session import connection
from tests import servers

SLUG = "shared-role"
KNOWN = "SELECT count(*) FROM pg_roles WHERE rolname = 'tenant_shared_role'"


def test_a_role_that_another_database_uses_is_kept_and_the_tenant_goes(committed: Tenant) -> None:
    connection.set_schema_to_public()
    provisioning.create(SLUG)
    role = sql.Identifier("tenant_shared_role")
    other = servers.start_postgres().dsn_owner
    with psycopg.connect(other, autocommit=True) as elsewhere:
        elsewhere.execute("CREATE TABLE IF NOT EXISTS kept_for_the_role (id int)")
        elsewhere.execute(sql.SQL("GRANT SELECT ON kept_for_the_role TO {}").format(role))
        provisioning.erase(SLUG)
        assert not Tenant.objects.filter(slug=SLUG).exists()
        assert elsewhere.execute(KNOWN).fetchone() == (1,)
        elsewhere.execute("DROP TABLE kept_for_the_role")
    with psycopg.connect(settings.OWNER_DATABASE_URL, autocommit=True) as owner:
        owner.execute(sql.SQL("DROP ROLE {}").format(role))
        assert owner.execute(KNOWN).fetchone() == (0,)
