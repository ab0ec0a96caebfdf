"""The access room: roles. A person's tenant role is a Group; a ProjectRole may raise it for one project."""

from django.contrib.auth.models import AbstractBaseUser
from django.db import models

from maestro.principals import RANK, ROLES


class ProjectRole(models.Model):
    """A person's higher role in one project."""

    user = models.ForeignKey("auth.User", on_delete=models.CASCADE, related_name="project_roles")
    project_id = models.UUIDField()
    role = models.CharField(max_length=16, choices=[(role, role) for role in ROLES])

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "project_id"], name="access_one_role_a_project")]

    def __str__(self) -> str:
        return f"{self.user} is {self.role}"


def role_of_person(user: AbstractBaseUser) -> str | None:
    """Name the highest of a person's groups that is a role; a superuser is admin; else None."""
    if user.is_superuser:  # type: ignore[attr-defined]
        return "admin"
    names = [name for name in user.groups.values_list("name", flat=True) if name in RANK]  # type: ignore[attr-defined]
    return max(names, key=RANK.__getitem__, default=None)
