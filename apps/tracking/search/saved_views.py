"""The tracking room: saved views of the run list: who may see, change, share and default to which, and what they hold."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

from django.db import IntegrityError, transaction
from django.db.models import Q

from apps.tenants.access.audit.recording import record
from apps.tracking.actions import Act
from apps.tracking.models import Experiment, Project, Run, SavedView
from apps.tracking.models.saved_views import SavedViewQuerySet
from apps.tracking.scoping import experiments_for, projects_for
from apps.tracking.search.listing import is_order, parse_columns, tree_of
from maestro.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound
from maestro.principals import MAESTRO, Actor, Principal

MAX_OWN, MAX_EXPERIMENTS = 200, 50


@dataclass(frozen=True, slots=True)
class ViewState:
    """The state of the run list that its address holds, apart from the chosen runs and the page."""

    filter: str = ""
    status: str = ""
    sort: str = ""
    columns: tuple[str, ...] = ()
    layout: str = "list"
    experiments: tuple[int, ...] = ()
    project: str = ""
    smoothing: float = 0.0
    log_axis: bool = False
    x_axis: str = "step"

    def address(self) -> str:
        """The query of the run list that shows this state."""
        pairs: list[tuple[str, object]] = [("experiment", number) for number in self.experiments]
        pairs += [("project", self.project), ("q", self.filter), ("status", self.status), ("sort", self.sort)]
        pairs += [("view", "charts" if self.layout == "charts" else ""), ("smooth", self.smoothing or "")]
        pairs += [("log", "1" if self.log_axis else ""), ("x", "" if self.x_axis == "step" else self.x_axis)]
        pairs += [("c", key) for key in self.columns]
        pairs += [("cols", "1" if self.columns else "")]
        return urlencode([(name, value) for name, value in pairs if value != ""])


def owner_of(principal: Principal) -> str:
    """Name whose views these are: a kind and an id, which no other person or key has."""
    return f"{principal.kind}:{principal.id}"


def visible(principal: Principal) -> SavedViewQuerySet:
    """Views that a principal may see: their own, and shared ones of the projects in their reach."""
    found: SavedViewQuerySet = SavedView.objects.visible_to(owner_of(principal)).select_related("experiment", "project")
    if principal.projects is None:
        return found
    within = Q(project__in=principal.projects) | Q(experiment__project__in=principal.projects)
    return found.filter(within | Q(owner=owner_of(principal)))


def default_for(principal: Principal, experiment: Experiment) -> SavedView | None:
    """The view that an experiment's list opens with: one's own before the shared one."""
    found = visible(principal).filter(experiment=experiment, is_default=True)
    return found.order_by("is_shared", "-updated_at").first()


def check_state(principal: Principal, given: Mapping[str, Any]) -> ViewState:
    """Check a state against the grammar and what the principal may see. Raises Invalid, naming the part."""
    state = ViewState(**{**given, "columns": tuple(given.get("columns", ()))})
    kept = tuple(column.key for column in parse_columns(state.columns))
    if kept != state.columns:
        raise Invalid("state.columns: at most 30 of m.NAME, p.NAME and t.NAME, once each", "bad_columns")
    if state.sort and not is_order(state.sort):
        raise Invalid("state.sort: name, start, end or a column, with - for the greatest first", "bad_sort")
    if state.status and state.status not in Run.Status.values:
        raise Invalid(f"state.status: one of {', '.join(Run.Status.values)}", "bad_status")
    tree_of(state.filter, state.status)
    return check_place(principal, state)


def check_place(principal: Principal, state: ViewState) -> ViewState:
    """Check the experiments and the project of a state. Raises Invalid for what is not there or not one's own."""
    numbers = tuple(dict.fromkeys(state.experiments))
    if len(numbers) > MAX_EXPERIMENTS:
        raise Invalid(f"state.experiments: at most {MAX_EXPERIMENTS}", "too_many_experiments")
    if experiments_for(principal).filter(pk__in=numbers).count() != len(numbers):
        raise Invalid("state.experiments: there is no such experiment", "no_such_experiment")
    project = ""
    if state.project:
        try:
            project = str(projects_for(principal).fetch(state.project).pk)
        except NotFound as error:
            raise Invalid("state.project: there is no such project", "no_such_project") from error
    if principal.projects is not None and not numbers and not project:
        raise Invalid("name a project or experiments that you reach: you do not see all runs", "project_key")
    return ViewState(**{**asdict(state), "experiments": numbers, "project": project})


def place_of(state: ViewState) -> dict[str, Any]:
    """The one experiment and the project that a state is about, as the row keeps them."""
    only = state.experiments[0] if len(state.experiments) == 1 else None
    project = Project.objects.filter(pk=state.project).first() if state.project else None
    if project is None and state.experiments:
        found = set(Experiment.objects.filter(pk__in=state.experiments).values_list("project", flat=True))
        project = Project.objects.get(pk=found.pop()) if len(found) == 1 else None
    return {"experiment_id": only, "project": project}


def check_write(principal: Principal, *, is_shared: bool) -> None:
    """Raise Forbidden for a narrowed key, and for a viewer who would share."""
    if principal.scopes and not principal.has_scope("tracking", writes=True):
        raise Forbidden("this key is narrowed to looking", "narrowed_key")
    if is_shared and not principal.has_role("contributor"):
        raise Forbidden("sharing a view needs the role contributor", "may_not_share")


def own(principal: Principal, identity: str | uuid.UUID) -> SavedView:
    """Fetch a view that this principal may change: their own, or for an admin any shared one.

    Raises NotFound for one that they can't see, Forbidden for one that they may only look at.
    """
    found = visible(principal).select_for_update(of=("self",)).fetch(identity)
    if found.owner != owner_of(principal) and not principal.has_role("admin"):
        raise Forbidden("only its owner or an admin changes a shared view", "not_the_owner")
    return found


def create(fields: Mapping[str, Any], by: Actor) -> SavedView:
    """Keep a view. Raises Invalid, Forbidden, Conflict when there are too many, AlreadyExists for a taken name."""
    principal = principal_of(by)
    owner = owner_of(principal)
    check_write(principal, is_shared=bool(fields.get("is_shared")))
    if SavedView.objects.filter(owner=owner).count() >= MAX_OWN:
        raise Conflict(f"you have {MAX_OWN} views already; delete one first", "too_many_views")
    with transaction.atomic():
        made = write(principal, SavedView(owner=owner, owner_name=principal.name), fields)
        record(by, Act.VIEW_CREATE, subject=made, after=told(made))
    return made


def change(
    identity: str | uuid.UUID,
    fields: Mapping[str, Any],
    by: Actor,
    *,
    guard: Callable[[SavedView], None] | None = None,
) -> SavedView:
    """Rename, share, replace or default to a view; `guard` is asked with the row held. Raises as `own` and `create`."""
    principal = principal_of(by)
    with transaction.atomic():
        view = own(principal, identity)
        if guard is not None:
            guard(view)
        before = told(view)
        check_write(principal, is_shared=bool(fields.get("is_shared", view.is_shared)))
        write(principal, view, fields)
        record(by, Act.VIEW_CHANGE, subject=view, before=before, after=told(view))
    return view


def delete(identity: str | uuid.UUID, by: Actor) -> None:
    """Forget a view. Raises as `own`, or Forbidden for a narrowed key."""
    principal = principal_of(by)
    with transaction.atomic():
        view = own(principal, identity)
        check_write(principal, is_shared=False)
        record(by, Act.VIEW_DELETE, subject=view, before=told(view))
        view.delete()


def principal_of(by: Actor) -> Principal:
    """The person or key whose views these are: Maestro itself keeps none. Raises Forbidden."""
    if by.who is MAESTRO:
        raise Forbidden("views belong to people and keys", "not_the_owner")
    return by.who


def told(view: SavedView) -> dict[str, Any]:
    """Tell the log of a view."""
    return {name: getattr(view, name) for name in ("name", "is_shared", "is_default", "state")}


def write(principal: Principal, view: SavedView, fields: Mapping[str, Any]) -> SavedView:
    """Set the given fields and save; the default it replaces is none any more."""
    for name in {"name", "is_shared", "is_default"} & set(fields):
        setattr(view, name, fields[name])
    if "state" in fields:
        state = check_state(principal, fields["state"])
        view.state = asdict(state)
        for name, value in place_of(state).items():
            setattr(view, name, value)
    if view.is_default and view.experiment_id is None:
        raise Invalid("is_default: only a view of one experiment can be what it opens with", "no_experiment")
    try:
        with transaction.atomic():
            if view.is_default:
                make_room(view)
            view.save()
    except IntegrityError as error:
        raise AlreadyExists(f"you have a view called {view.name!r} here", "name_taken") from error
    return view


def make_room(view: SavedView) -> None:
    """Take the default from whichever view of the experiment has it."""
    rivals = SavedView.objects.filter(experiment=view.experiment_id, is_default=True, is_shared=view.is_shared)
    if not view.is_shared:
        rivals = rivals.filter(owner=view.owner)
    rivals.exclude(pk=view.pk).update(is_default=False)


def state_of(view: SavedView) -> ViewState:
    """A row's state; what later versions add has its own beginning."""
    known = {name: value for name, value in view.state.items() if name in ViewState.__dataclass_fields__}
    listed = {name: tuple(known[name]) for name in ("columns", "experiments") if name in known}
    return ViewState(**{**known, **listed})
