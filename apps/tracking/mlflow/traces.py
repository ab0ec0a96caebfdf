"""The tracking room's MLflow door: traces. Their spans come and go as files, by way of the artifact proxy."""

from collections.abc import Sequence
from typing import Any

from apps.tenants.access.people.principal import acting
from apps.tracking.mlflow.base import TrackingView, as_experiment_number, experiment_number
from apps.tracking.mlflow.batches import run_uuid
from apps.tracking.mlflow.searches import experiment_numbers
from apps.tracking.mlflow.trace_fields import as_identity, read_note, read_trace, trace_info
from apps.tracking.models import Trace
from apps.tracking.models.traces import TraceQuerySet
from apps.tracking.refusals import no_experiment
from apps.tracking.scoping import experiments_for, runs_for, traces_for
from apps.tracking.search.pages import Search
from apps.tracking.traces import prompts, recording, search, spans
from maestro import limits
from maestro.api.permissions import reading_and_writing
from maestro.clock import now_ms
from maestro.errors import Invalid, NotFound, NotImplementedHere, TooLarge
from maestro.filters import parse, parse_order
from maestro.filters.budget import fitting
from maestro.http.heavy import LARGE_BYTES, turn
from maestro.mlflow import fields as read
from maestro.mlflow import paging
from maestro.mlflow.paging import page_size, read_token
from maestro.mlflow.views import MlflowRequest, dump, snake_case

PURPOSE = "mlflow.traces.search"
MOST_AT_ONCE, MOST_WHOLE = 1_000, 20
# The client looks for these very words, stops sending spans there, and uploads them as a file instead.
NO_SPANS = "REST OTLP span logging is not supported: upload the spans as traces.json, by way of the artifact proxy"


class StartTrace(TrackingView):
    """POST traces: at a trace's end, despite its name in the protocol"""

    most_items = limits.RECORD_ITEMS

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Record a trace."""
        given = read_trace(self.fields(request))
        by = str(request.user)[:250]
        return shown(recording.record_trace(given, experiments_for(request.user), by=by, now=now_ms()))


class OneTrace(TrackingView):
    """GET traces/<id>"""

    def get(self, request: MlflowRequest, trace_id: str) -> dict[str, Any]:
        """Show a trace without its spans."""
        return shown(traces_for(request.user).fetch(trace_id))


def take_turn(traces: list[Trace]) -> None:
    """Read large files of spans one after the other, in all no more than one body may have. Raises TooLarge, Busy."""
    size = spans.weight(traces)
    if size > limits.JSON_BODY_BYTES:
        detail = f"the spans of these traces have {size} bytes; at most {limits.JSON_BODY_BYTES} are shown at once"
        raise TooLarge(f"{detail}: ask for fewer traces", "spans_too_large")
    if size > LARGE_BYTES:
        turn.take()


class WholeTrace(TrackingView):
    """GET traces/get"""

    def get(self, request: MlflowRequest) -> dict[str, Any]:
        """Show a trace with its spans."""
        trace = traces_for(request.user).fetch(read.text(self.fields(request), "trace_id"))
        take_turn([trace])
        return {"trace": {"trace_info": trace_info(trace), "spans": spans.load(trace)}}


class WholeTraces(TrackingView):
    """GET traces/batchGet"""

    def get(self, request: MlflowRequest) -> dict[str, Any]:
        """Show some traces with their spans; what is not there is left out."""
        wanted, chosen = chosen_traces(request, self.fields(request), MOST_WHOLE)
        found = recording.ordered(chosen, wanted)
        take_turn(found)
        whole = [{"trace_info": trace_info(trace), "spans": spans.load_or_none(trace)} for trace in found]
        return {"traces": whole} if whole else {}


class BatchInfos(TrackingView):
    """POST traces/batchGetInfos"""

    required_role = reading_and_writing(write="viewer")

    def post(self, request: MlflowRequest) -> bytes:
        """Show some traces without their spans; what is not there is left out."""
        wanted, chosen = chosen_traces(request, self.fields(request), MOST_AT_ONCE)
        there = set(chosen.filter(pk__in=wanted).values_list("pk", flat=True))
        found = [identity for identity in dict.fromkeys(wanted) if identity in there]
        infos, count = fitting(found, written, paging.take_turn)
        if count < len(found):
            detail = f"{count} of these traces have more than {limits.ANSWER_BYTES} bytes already"
            raise TooLarge(f"{detail}: ask for fewer traces", "traces_too_large")
        return paging.listed("trace_infos", infos, {})


def chosen_traces(request: MlflowRequest, fields: dict[str, Any], most: int) -> tuple[list[str], TraceQuerySet]:
    """Read which traces a call names, and find those that it may show: of some experiments if it names these too."""
    wanted = read.texts(fields, "trace_ids", most)
    if not wanted:
        raise read.missing("trace_ids")
    chosen = traces_for(request.user)
    if fields.get("experiment_ids") is not None:
        chosen = chosen.filter(experiment__in=experiment_numbers(fields))
    return wanted, chosen


class SearchTraces(TrackingView):
    """POST traces/search"""

    required_role = reading_and_writing(write="viewer")

    def post(self, request: MlflowRequest) -> bytes:
        """Show one page of traces."""
        fields = self.fields(request)
        text = read.text_or(fields, "filter", most=limits.JSON_BODY_BYTES)
        terms = parse_order(read.texts(fields, "order_by"), search.VOCABULARY)
        wanted = Search(parse(text, search.VOCABULARY), terms)
        most = page_size(fields, 100, limits.TRACE_PAGE_MAX)
        seen = experiments_for(request.user).filter(pk__in=read_locations(fields)).values_list("pk", flat=True)
        homes, token = list(seen), read_token(fields, PURPOSE)
        found, following = paging.within(
            lambda count: search.traces(wanted, homes, most=count, token=token), most, written
        )
        return paging.listed("traces", found, paging.following_token(following, PURPOSE))


def written(identities: Sequence[str]) -> list[bytes]:
    """Write traces without their spans."""
    return [dump(trace_info(trace)) for trace in recording.ordered(Trace.objects.all(), identities)]


def read_locations(fields: dict[str, Any]) -> list[int]:
    """Read the experiments to search; what can't be one, and a place of another kind, names nothing."""
    numbers = []
    rows = read.rows(fields, "locations", MOST_AT_ONCE)
    if not rows:
        raise read.missing("locations")
    for index, row in enumerate(rows):
        home = snake_case(row).get("mlflow_experiment")
        if home is None:
            continue
        if not isinstance(home, dict):
            raise read.refuse(f"locations[{index}].mlflow_experiment", home, "it must be an object")
        try:
            numbers.append(as_experiment_number(str(snake_case(home).get("experiment_id", ""))))
        except NotFound:
            continue
    return numbers


class TraceTags(TrackingView):
    """PATCH and DELETE traces/<id>/tags"""

    def patch(self, request: MlflowRequest, trace_id: str) -> dict[str, Any]:
        """Note something on a trace."""
        fields = self.fields(request)
        key, value = read_note(fields.get("key"), "" if fields.get("value") is None else fields["value"], "tag")
        recording.set_tag(traces_for(request.user), trace_id, key, value)
        return {}

    def delete(self, request: MlflowRequest, trace_id: str) -> dict[str, Any]:
        """Take a note off a trace."""
        key = read.text(self.fields(request), "key", limits.KEY_CHARS)
        recording.drop_tag(traces_for(request.user), trace_id, key)
        return {}


class DeleteTraces(TrackingView):
    """POST traces/delete-traces"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Delete traces for good: some by id, or the oldest up to a time."""
        fields = self.fields(request)
        number = experiment_number(fields)
        identities = read.texts(fields, "request_ids", MOST_AT_ONCE)
        until = None
        if fields.get("max_timestamp_millis") is not None:
            until = read.as_integer(fields["max_timestamp_millis"], "max_timestamp_millis")
        most = read.integer_or(fields, "max_traces", recording.MOST_DELETED, least=1)
        check_choice(identities, until, has_most=fields.get("max_traces") is not None)
        if not experiments_for(request.user).filter(pk=number).exists():
            raise no_experiment(number)
        chosen = Trace.objects.filter(experiment=number)
        chosen = chosen.filter(pk__in=identities) if identities else chosen.filter(request_ms__lte=until)
        told = {"ids": identities[:100], "until_ms": until}
        gone = recording.destroy(chosen, acting(request), experiment=number, most=most, told=told)
        return {"traces_deleted": gone}


def check_choice(identities: list[str], until: int | None, *, has_most: bool) -> None:
    """Raise Invalid unless exactly one way of choosing traces is used."""
    if until is None and not identities:
        raise Invalid("Either `max_timestamp_millis` or `request_ids` must be specified.", "nothing_chosen")
    if until is not None and identities:
        raise Invalid("Only one of `max_timestamp_millis` and `request_ids` can be specified.", "two_choices")
    if identities and has_most:
        raise Invalid("`max_traces` can't be specified if `request_ids` is specified.", "two_choices")


class LinkToRun(TrackingView):
    """POST traces/link-to-run"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Link traces to a run, so that a search by the run finds them."""
        fields = self.fields(request)
        identities = read.texts(fields, "trace_ids", recording.MOST_LINKS)
        run_id = run_uuid(read.text(fields, "run_id"))
        named = [as_identity(text, "trace_ids") for text in identities]
        recording.link(traces_for(request.user), named, run_id, runs=runs_for(request.user))
        return {}


class LinkPrompts(TrackingView):
    """POST traces/link-prompts"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Note which prompts a trace used, so that a search by a prompt finds it."""
        fields = self.fields(request)
        identity = as_identity(read.text(fields, "trace_id"), "trace_id")
        rows = read.rows(fields, "prompt_versions", prompts.MOST_AT_ONCE)
        if not rows:
            raise read.missing("prompt_versions")
        used = [read_prompt(row, f"prompt_versions[{index}].") for index, row in enumerate(rows)]
        prompts.link(traces_for(request.user), identity, used)
        return {}


def read_prompt(row: dict[str, Any], place: str) -> prompts.PromptVersion:
    """Read which version of which prompt is meant."""
    name = read.as_text(read.given(row, "name", place), f"{place}name", limits.NAME_CHARS)
    version = read.as_integer(read.given(row, "version", place), f"{place}version", 1, 999_999_999)
    return prompts.PromptVersion(name, str(version))


class NoSpans(TrackingView):
    """POST /v1/traces: OpenTelemetry's own way in"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Say that it is not offered."""
        raise NotImplementedHere(NO_SPANS)


def shown(trace: Trace) -> dict[str, Any]:
    """Answer one trace."""
    return {"trace": {"trace_info": trace_info(trace)}}
