"""The tracking room's door: `manage.py collect_git`: read the whole history of a repository, or of a bundle of it."""

from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.tenants import provisioning
from apps.tracking.delivery import connections
from apps.tracking.delivery.git import collecting, commits
from apps.tracking.models import Connection, Project
from maestro.clock import is_uuid
from maestro.commands import MaestroCommand
from maestro.errors import Invalid
from maestro.principals import Actor


class Command(MaestroCommand):
    """Read commits with their sizes, where each came to the main line, and which lines were deleted again within 21 days.

    Nothing is run that the repository names, and nothing is written to it. Who wrote a commit becomes a pseudonym, by the
    repository's mailmap. What an earlier collection had and the history does not hold any more is forgotten.
    """

    help = __doc__
    example = "manage.py collect_git /srv/git/churn.git --tenant acme --project churn"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("path", metavar="PATH", type=Path, help="a repository, or a file that `git bundle` made")
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--project", required=True, metavar="SLUG", help="slug or id")
        parser.add_argument("--connection", default="", metavar="ID", help="which repository of the project it is")
        parser.add_argument("--ref", default="HEAD", help="the branch that is the main line; default HEAD")

    def answer(self, **options: Any) -> dict[str, Any]:
        """Collect it, telling how far it has come."""
        if not options["path"].exists():
            raise Invalid(f"there is nothing at {options['path']}", "bad_repository")
        with tenant_context(provisioning.fetch(options["tenant"])):
            project, by = Project.objects.fetch(options["project"]), Actor("operator")
            of = self.named(project, options["connection"], by)
            done = collecting.collect(of, options["path"], options["ref"], by=by, at=timezone.now(), tell=self.say)
            return {"connection": of.pk, "commits": done.commits, "odd_dates": done.odd_dates, "gone": done.gone}

    @staticmethod
    def named(project: Project, connection: str, by: Actor) -> Connection:
        """The connection that is meant. Raises Invalid, NotFound, Conflict."""
        if not connection:
            return commits.home_of(project, by=by)
        if not is_uuid(connection):
            raise Invalid("--connection is an id, as `GET /api/v1/connections/` lists them", "bad_connection")
        return connections.fetch(Connection.objects.filter(project=project), UUID(connection))
