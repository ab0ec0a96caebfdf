"""The tracking room's admin: one change to many runs, selected or found by the list's filter: asked first, then done."""

import uuid
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse

from apps.tenants.access.people.principal import acting, looker
from apps.tracking.admin.curves import chosen_runs
from apps.tracking.admin.run_csv import CHOSEN
from apps.tracking.admin.run_search import scope_in
from apps.tracking.models import Experiment, Run
from apps.tracking.runs import bulk, selection
from apps.tracking.runs.bulk import Action, Order
from apps.tracking.runs.selection import Choice, Wanted
from apps.tracking.scoping import experiments_for
from apps.tracking.search.listing import filter_text
from maestro import limits
from maestro.admin.sites import tenant_site
from maestro.clock import now_ms
from maestro.errors import Invalid, MaestroError, NotFound
from maestro.principals import RANK, Actor

PERMISSIONS = {"viewer": "tracking.view_run", "contributor": "tracking.change_run", "admin": "tracking.delete_run"}
SHOWN, OFFERED = 12, 200
CARRIED = ("q", "status", "experiment", "project", "which")


@dataclass(frozen=True)
class Wording:
    """How an action is spoken of."""

    title: str
    note: str
    done: str
    role: str = "contributor"


WORDS = {
    Action.TAG: Wording("Tag", "A tag that is there gets the new value.", "tagged"),
    Action.MOVE: Wording(
        "Move",
        "Params, metrics, files, traces and logged models go along; addresses of files stay good.",
        "moved",
    ),
    Action.TRASH: Wording(
        "Throw away", "They go to the trash, where they can be restored for a while.", "in the trash"
    ),
    Action.RESTORE: Wording("Restore", "They go back to where they were.", "restored"),
    Action.DELETE: Wording(
        "Delete for ever", "With all that they logged. This cannot be undone.", "deleted for ever", "admin"
    ),
}


def permitted(request: HttpRequest) -> str:
    """The role that Django's permissions on runs come to; empty for none."""
    role = ""
    for name, permission in PERMISSIONS.items():
        if not request.user.has_perm(permission):
            break
        role = name
    return role


def actor(request: HttpRequest) -> Actor:
    """Who acts on a page: somebody whom no project bounds may do what Django's permissions say, too."""
    by = acting(request)
    if by.projects is not None:
        return by
    role = max(by.who.role, permitted(request), key=lambda name: RANK.get(name, -1))
    return replace(by, who=replace(by.who, role=role))


def may(request: HttpRequest, role: str, project: uuid.UUID | None = None) -> bool:
    """Say whether somebody may do what a role may: in a project, or, without one, anywhere."""
    who = actor(request).who
    if project is not None:
        return who.has_role(role, project)
    return who.has_role(role) or any(RANK[has] >= RANK[role] for has in who.project_roles.values())


def choice_of(request: HttpRequest, fields: QueryDict, action: Action) -> Choice:
    """The runs that are meant: those that were ticked, or what the list's filter finds."""
    if fields.get("which", CHOSEN) == CHOSEN:
        return Choice(tuple(chosen_runs(fields.getlist("run"), selection.MOST_IDS)))
    expected = fields.get("expected", "")
    in_trash = action in {Action.RESTORE, Action.DELETE}
    wanted = Wanted(
        scope_in(request, fields).experiment_ids(),
        filter_text(fields.get("q", "")),
        view="DELETED_ONLY" if in_trash else "ACTIVE_ONLY",
        status=fields.get("status", "") if fields.get("status") in Run.Status.values else "",
    )
    return Choice(
        (), wanted, int(expected) if expected.isascii() and expected.isdecimal() and len(expected) < 9 else -1
    )


def found(choice: Choice, by: Actor) -> list[Any]:
    """The ids of a choice, before anybody has said how many there should be. Raises Invalid, NotFound."""
    if choice.wanted is None:
        return selection.visible(choice.ids, by)
    ids: list[Any] = []
    for page in selection.pages(choice.wanted, selection.MOST_IDS):
        ids += page
        if len(ids) > selection.MOST_FOUND:
            raise Invalid(f"the filter finds more than {selection.MOST_FOUND} runs; narrow it", "too_many_runs")
    if not ids:
        raise Invalid("the filter finds no run", "no_runs")
    return ids


def read_order(request: HttpRequest, action: Action) -> Order:
    """Turn the page's form into an order. Raises Invalid, NotFound."""
    fields = request.POST
    key, value, dropped = (fields.get(name, "").strip() for name in ("key", "value", "drop"))
    if len(key) > limits.KEY_CHARS or len(value) > limits.TAG_VALUE_CHARS or "\x00" in key + value + dropped:
        raise Invalid("the tag's name or value is too long, or holds what text can't", "bad_tags")
    target = read_target(request, fields.get("to", "")) if action == Action.MOVE else None
    choice = choice_of(request, fields, action)
    return Order(action, choice, {key: value} if key else {}, [dropped] if dropped else [], target)


def read_target(request: HttpRequest, text: str) -> int:
    """The experiment that a person names, by number or by name. Raises NotFound."""
    text = text.strip().replace("\x00", "")
    seen = experiments_for(looker(request)).active()
    named: Experiment | None = seen.filter(name=text).first()
    if named is None and text.isascii() and text.isdecimal() and len(text) <= 18:
        named = seen.filter(pk=int(text)).first()
    if named is None:
        raise NotFound("there is no such experiment")
    return named.pk


def offered(request: HttpRequest) -> Any:
    """Experiments that runs may move to, the newest first."""
    return experiments_for(looker(request)).active().order_by("-updated_ms")[:OFFERED]


def back_to(fields: QueryDict, action: Action) -> str:
    """The page that this one was asked from."""
    if action in {Action.RESTORE, Action.DELETE}:
        return reverse("admin:run_trash")
    kept = [(name, value) for name in CARRIED if name != "which" for value in fields.getlist(name) if value]
    return f"{reverse('admin:tracking_run_changelist')}?{urlencode(kept)}"


def act(request: HttpRequest) -> HttpResponse:
    """Ask whether this is meant, or, with POST, do it: all of it or nothing."""
    fields = request.POST if request.method == "POST" else request.GET
    try:
        action = Action(fields.get("do", ""))
    except ValueError:
        action = Action.TAG
    words, problem, status = WORDS[action], "", 200
    if not may(request, words.role):
        raise PermissionDenied
    if request.method == "POST":
        try:
            done = bulk.carry_out(read_order(request, action), actor(request), now=now_ms())
            messages.success(request, f"{done.changed} of {done.chosen} runs {words.done}.")
            return HttpResponseRedirect(back_to(fields, action))
        except MaestroError as refusal:
            problem, status = refusal.detail, refusal.status
    return asked(request, fields, action, (problem, status))


def asked(request: HttpRequest, fields: QueryDict, action: Action, refusal: tuple[str, int]) -> HttpResponse:
    """The page that asks."""
    problem, status = refusal
    ids: list[Any] = []
    try:
        ids = found(choice_of(request, fields, action), actor(request))
    except MaestroError as nothing:
        problem, status = problem or nothing.detail, nothing.status if status == 200 else status
    shown = Run.objects.select_related("experiment").in_bulk(ids[:SHOWN])
    kept = ("q", "status", "experiment", "project", "which", "run")
    context = {
        "title": f"{WORDS[action].title} {len(ids)} run{'' if len(ids) == 1 else 's'}",
        "words": WORDS[action],
        "action": action.value,
        "count": len(ids),
        "runs": [shown[run_id] for run_id in ids[:SHOWN] if run_id in shown],
        "more": max(len(ids) - SHOWN, 0),
        "kept": [(name, value) for name in kept for value in fields.getlist(name)],
        "typed": {name: fields.get(name, "") for name in ("key", "value", "drop", "to")},
        "experiments": offered(request) if action == Action.MOVE else [],
        "back_url": back_to(fields, action),
        "problem": problem,
    }
    answer = tenant_site.page(request, "admin/tracking/run_act.html", context)
    answer.status_code = status if request.method == "POST" else 200
    return answer
