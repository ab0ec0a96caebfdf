"""The tenants room: an export's rows and bytes brought into a tenant that is closed to all, and compared with the export."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from django_tenants.utils import tenant_context
from psycopg import sql

from apps.tenants import provisioning, template
from apps.tenants.models import Job, Tenant
from apps.tenants.moving import rows, tables
from apps.tenants.moving.checking import Tell
from apps.tenants.moving.package import Manifest, Package, entry_of
from apps.tenants.moving.tables import Table
from maestro import staging, storage
from maestro.database.session import connection
from maestro.errors import Conflict, Invalid

KNOWN = """SELECT sha256, size_bytes FROM tracking_blob WHERE sha256 COLLATE "C" > %s
 ORDER BY sha256 COLLATE "C" LIMIT 5000"""
COUNTED = "SELECT setval(%s::regclass, greatest(%s, (SELECT coalesce(max({column}), 1) FROM {table})))"
ROWS_PERCENT, BYTES_PERCENT = 40, 90


@dataclass(frozen=True)
class Compared:
    """How many of one kind the export has and how many are here, and a digest of all of it on each side."""

    source: int
    here: int = 0
    source_sha256: str = ""
    here_sha256: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether both sides hold the same."""
        return (self.source, self.source_sha256) == (self.here, self.here_sha256)


class Bringing:
    """One import under way. `compared` gets each table, and the contents, as they are there and here."""

    def __init__(self, tenant: Tenant, package: Package, manifest: Manifest, tell: Tell) -> None:
        self.tenant, self.package, self.manifest, self.tell = tenant, package, manifest, tell
        self.compared: dict[str, Compared] = {}

    def bring(self) -> None:
        """Bring all of it. Raises Invalid, NotFound, Conflict for what is no whole export; Unavailable, StorageFull."""
        with tenant_context(self.tenant):
            known = tables.travelling()
            self.check_tables(known)
            for table in known:
                self.bring_rows(table)
        self.note(ROWS_PERCENT)
        with tenant_context(self.tenant):
            self.bring_contents()
        self.note(BYTES_PERCENT)
        with provisioning.owner_connection() as owner:
            owner.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(self.tenant.schema_name)))
            for statement, values in self.counters(known):
                owner.execute(statement, values)
        with tenant_context(self.tenant):
            self.compare(known)

    def note(self, percent: int) -> None:
        """Show among the jobs how far it is."""
        connection.set_schema_to_public()
        Job.objects.filter(tenant=self.tenant, state=Job.State.RUNNING).update(percent=percent)

    def check_tables(self, known: list[Table]) -> None:
        """Compare the manifest's tables and columns with those that this release has. Raises Invalid."""
        ours = {table.name: [column.name for column in table.columns] for table in known}
        theirs = {name: facts.columns for name, facts in self.manifest.tables.items()}
        odd = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
        if odd:
            raise Invalid(f"the manifest names other tables or columns than this release has: {odd[0]}", "bad_manifest")

    def bring_rows(self, table: Table) -> None:
        """Bring a table's rows. Raises Invalid, Conflict."""
        lines = self.package.lines(self.package.table(table.name))
        rows.fill(table, lines, self.manifest.tables[table.name].rows)
        self.tell(f"{table.name} is in")

    def bring_contents(self) -> None:
        """Bring the bytes that rows name. Raises Invalid, NotFound, Conflict, Unavailable, StorageFull."""
        missing, count, total, told = set(self.manifest.blobs.missing), 0, 0, hashlib.sha256()
        listed = self.package.contents()
        for sha256, size in known_contents():
            if sha256 in missing:
                continue
            if next(listed, None) != sha256:
                raise Invalid(f"rows name a content that the export does not list: {sha256[:64]!r}", "bad_list")
            self.bring_content(sha256, size)
            count, total = count + 1, total + size
            told.update(entry_of(sha256))
            self.tell(f"{count:,} of {self.manifest.blobs.count:,} contents, {total:,} bytes")
        if next(listed, None) is not None:
            raise Invalid("the export lists contents that no row names", "bad_list")
        said = self.manifest.blobs
        self.compared["contents"] = Compared(said.count, count, said.sha256, told.hexdigest())

    def bring_content(self, sha256: str, size: int) -> None:
        """Bring a content unless it is here. Raises NotFound, and Invalid for other bytes."""
        place = f"{storage.tenant_prefix()}/blobs/{sha256[:2]}/{sha256}"
        if staging.size_of(place) == size:
            return
        pieces = self.package.pieces(self.package.blob(sha256))
        with staging.staged(pieces, expected_bytes=size) as arrived:
            if (arrived.sha256, arrived.size_bytes) != (sha256, size):
                shown = f"blobs/{sha256[:2]}/{sha256}"
                raise Invalid(f"{shown} holds other bytes: their sha256 is {arrived.sha256}", "digest_mismatch")
            staging.publish(arrived.key, place)

    def counters(self, known: list[Table]) -> Iterator[tuple[sql.Composed, list[object]]]:
        """Write the statements that let sequences go on where they were, so that no number comes twice. Raises Invalid."""
        for table in known:
            said = self.manifest.tables[table.name].sequences
            numbered = {column.name: column for column in table.numbered}
            if not said.keys() <= numbered.keys():
                raise Invalid(f"the manifest counts what {table.name} does not count", "bad_manifest")
            for name, column in numbered.items():
                if name in said or self.manifest.tables[table.name].rows:
                    text = sql.SQL(COUNTED).format(column=sql.Identifier(name), table=sql.Identifier(table.name))
                    yield text, [column.sequence, said.get(name, 1)]

    def compare(self, known: list[Table]) -> None:
        """Read all rows as an export would, and compare. Raises Conflict for any difference."""
        with rows.snapshot():
            for table in known:
                facts, told, count = self.manifest.tables[table.name], hashlib.sha256(), 0
                for line in rows.lines_of(table):
                    told.update(line)
                    count += 1
                self.compared[table.name] = Compared(facts.rows, count, facts.sha256, told.hexdigest())
                self.tell(f"{table.name}: {count:,} rows are compared")
        differing = [name for name, both in self.compared.items() if not both.is_equal]
        if differing:
            raise Conflict(f"what came is not what was exported, in {', '.join(differing)}; nothing is kept", "differs")


def known_contents() -> Iterator[tuple[str, int]]:
    """Read which contents rows name, in order, some thousand at a time."""
    last = ""
    while found := tables.asked(KNOWN, [last]):
        yield from found
        last = found[-1][0]


def empty(tenant: Tenant) -> None:
    """Take away the rows that a new schema begins with: the export brings its own."""
    begins = [name for name in (*template.SEEDED, *template.BEGINS_WITH) if name not in tables.STAYS]
    with provisioning.owner_connection() as owner:
        owner.execute("SET CONSTRAINTS ALL DEFERRED")
        for name in begins:
            owner.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(tenant.schema_name, name)))
