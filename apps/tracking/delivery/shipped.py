"""The tracking room: deployments of either source: what a forge tells, or a serving alias that moved. One source a project."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.tracking.delivery import rules, serving
from apps.tracking.delivery.rules import Chosen
from apps.tracking.delivery.serving import Asked, Move
from apps.tracking.models import Deployment
from apps.tracking.models.delivery_rules import SERVING
from maestro.principals import Reach

MOST_ROWS = 50_000


@dataclass(frozen=True)
class Shipped:
    """A deployment. `stream`: what it takes its turn in, an environment or an alias; `state`: what was deployed."""

    key: str
    stream: str
    what: str
    project: UUID
    state: str
    started_at: datetime
    deployed_at: datetime | None
    failed_at: datetime | None = None
    is_hotfix: bool = False
    is_rollback: bool = False

    @property
    def began(self) -> datetime:
        """Where it stands in the order of its stream."""
        return self.deployed_at or self.started_at


def moves(projects: Reach, until: datetime, chosen: Chosen | None = None) -> list[Move]:
    """Moves of serving aliases, of the projects that are measured by them; without `chosen`, of all."""
    aliases = (chosen or rules.chosen(projects)).aliases
    found = serving.moves(Asked(projects, until, dict(aliases), SERVING))
    return [move for move in found if chosen is None or move.project not in chosen.by_forge]


def of_alias(move: Move) -> Shipped:
    """A move as a deployment: it takes no time."""
    return Shipped(
        key=f"move:{move.number}",
        stream=f"{move.model}@{move.alias}",
        what=f"{move.model}@{move.alias} v{move.version}",
        project=move.project,
        state=str(move.version_id),
        started_at=move.at,
        deployed_at=move.at,
        is_rollback=move.is_rollback,
    )


def of_forge(row: Deployment, project: UUID) -> Shipped:
    """A forge's deployment."""
    return Shipped(
        key=str(row.pk),
        stream=f"{row.connection_id}:{row.environment}",
        what=f"{row.environment} {row.number}",
        project=project,
        state=row.sha,
        started_at=row.started_at,
        deployed_at=row.deployed_at,
        failed_at=row.failed_at,
        is_hotfix=row.is_hotfix,
        is_rollback=row.is_rollback,
    )


def shipped(projects: Reach, since: datetime, until: datetime) -> list[Shipped]:
    """Deployments to production that began in a time, by the source that each project has chosen."""
    chosen = rules.chosen(projects)
    rows = Deployment.objects.of_projects(projects).to_production().during("started_at", since, until)
    rows = rows.exclude(connection__project__in=chosen.by_alias).select_related("connection")
    told = [of_forge(row, row.connection.project_id) for row in rows[:MOST_ROWS]]
    return told + [of_alias(move) for move in moves(projects, until, chosen) if move.at >= since]
