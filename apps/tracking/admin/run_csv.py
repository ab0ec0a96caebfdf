"""The tracking room's admin: the run list, or what is selected in it, as a file that is written while it is read."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse

from apps.tenants.access.people.principal import looker
from apps.tracking.admin.curves import chosen_runs
from apps.tracking.admin.run_search import Scope
from apps.tracking.exports import rows
from apps.tracking.runs import selection
from apps.tracking.runs.selection import Wanted
from apps.tracking.scoping import runs_for
from apps.tracking.search.listing import KINDS, Column, filter_text, terms_of
from maestro.database.session import connection
from maestro.http.streams import text_file

CHOSEN = "chosen"


def wanted_of(request: HttpRequest, scope: Scope) -> Wanted:
    """The runs that the address's filter finds, all of them, in the list's order."""
    text, status = request.GET.get("q", ""), request.GET.get("status", "")
    terms = terms_of(request.GET.get("sort", ""))
    return Wanted(scope.experiment_ids(), filter_text(text, status), terms=terms)


def pages(request: HttpRequest, wanted: Wanted) -> Iterable[Sequence[UUID]]:
    """The runs to write: the selected ones if the address says so, else all that the filter finds."""
    if request.GET.get("which") == CHOSEN:
        chosen = chosen_runs(request.GET.getlist("run"), selection.MOST_IDS)
        seen = set(runs_for(looker(request)).filter(pk__in=chosen).values_list("pk", flat=True))
        return selection.in_pages([run_id for run_id in chosen if run_id in seen])
    return selection.pages(wanted)


def file_response(request: HttpRequest, scope: Scope, columns: Sequence[Column], kind: str) -> StreamingHttpResponse:
    """Answer the file. Raises Invalid for a filter that does not parse."""
    wanted = wanted_of(request, scope)
    wanted.parsed()
    titles = [f"{KINDS[column.kind]}.{column.name}" for column in columns] if kind == "csv" else []
    pieces = rows.pieces(kind, lambda: pages(request, wanted), titles)
    return text_file(rows.inside(connection.tenant, pieces), name=f"runs.{kind}", kind=rows.TYPES[kind])
