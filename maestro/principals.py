"""The floor: who is asking, with which role, for which projects. No HTTP: every room asks with these words.

There are two: a `Principal` is who somebody is and what they reach, whoever asks and for whatever; an `Actor` is a
principal in one act, as the audit log tells it. A verb that changes something takes an `Actor`, a question about what
somebody sees takes a `Principal`. Doors read both out of a request and hand nothing else on. A `Reach` is no third: it is the
part of a principal that goes into SQL.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from maestro.errors import Forbidden, Invalid

ROLES = ("viewer", "contributor", "approver", "admin")
RANK = {name: rank for rank, name in enumerate(ROLES)}
# What a key may be narrowed to: looking only, or changing things of one room. No scope at all: all that its role may.
SCOPES = ("read", "tracking", "registry", "recommendations", "access")
# The projects that a request may touch; None is every one. A list, because that is what becomes an array in SQL.
Reach = list[uuid.UUID] | None


@dataclass(frozen=True)
class Principal:
    """A person, a service account or a CI job, as one request sees it."""

    kind: str  # "key", "person" or "job"
    id: str
    name: str
    role: str  # in the whole tenant; empty for a person who has roles in projects only
    schema: str
    projects: Reach = None
    scopes: frozenset[str] = field(default_factory=frozenset)
    project_roles: Mapping[uuid.UUID, str] = field(default_factory=dict)
    sees_all: bool = False  # narrowed for this request, though it may look at the whole tenant
    is_authenticated: bool = True

    def has_role(self, role: str, project_id: uuid.UUID | None = None) -> bool:
        """Say whether this principal holds `role` or more, in the tenant or in one project."""
        if self.projects is not None and project_id is not None and project_id not in self.projects:
            return False
        rank = RANK.get(self.role, -1)
        if project_id is not None and self.project_roles:
            rank = max(rank, RANK.get(self.project_roles.get(project_id, ""), -1))
        return rank >= RANK[role]

    def within(self, role: str) -> "Principal":
        """Who this is for a route that needs `role`: itself, or narrowed to the projects where it holds that.

        Raises Forbidden if it holds the role nowhere.
        """
        if RANK.get(self.role, -1) >= RANK[role]:
            return self
        held = {project: has for project, has in self.project_roles.items() if RANK[has] >= RANK[role]}
        if not held:
            raise Forbidden(f"this needs the role {role}; you are {self.role or 'without a role here'}")
        least = min(held.values(), key=RANK.__getitem__)
        return replace(self, role=least, projects=sorted(held), project_roles=held, sees_all=bool(self.role))

    def has_scope(self, room: str, *, writes: bool) -> bool:
        """Say whether a narrowed key reaches a room: its own scope, or `read` for looking."""
        return not self.scopes or room in self.scopes or (not writes and "read" in self.scopes)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


# Maestro itself, in its tasks and commands: nothing bounds it.
MAESTRO = Principal("maestro", "", "maestro", "admin", "")
# Who is not known, or was only named: what they may do is nothing.
NOBODY = Principal("person", "", "", "", "", projects=[])


@dataclass(frozen=True)
class Actor:
    """Who does an act, as the audit log tells it: a principal in one request, or a task or command by its name."""

    name: str
    role: str = ""
    address: str = ""
    request_id: str = ""
    who: Principal = MAESTRO

    @property
    def projects(self) -> Reach:
        """The projects in reach; None is every one."""
        return self.who.projects

    @property
    def is_key_of_some(self) -> bool:
        """Say whether this is a key or a job that reaches some projects only."""
        return self.who.kind != "person" and self.projects is not None

    def reach_with(self, role: str) -> Reach:
        """The projects where they hold the role; None is every one."""
        if RANK.get(self.who.role, -1) >= RANK[role]:
            return self.projects
        return sorted(project for project, held in self.who.project_roles.items() if RANK[held] >= RANK[role])

    def require(self, role: str, projects: Iterable[uuid.UUID | None]) -> None:
        """Raise Forbidden unless the role is held in every one of the projects."""
        if not all(self.who.has_role(role, project) for project in set(projects)):
            raise Forbidden(f"this needs the role {role} in every project that it touches")


def home_of(projects: Reach, otherwise: str) -> uuid.UUID | None:
    """Choose the project of something new: the only one in reach; None if it may belong to any. Raises Invalid."""
    if projects is None:
        return None
    if len(projects) != 1:
        raise Invalid(f"you work in several projects: {otherwise}", "which_project")
    return projects[0]
