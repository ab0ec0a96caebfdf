"""The tracking room's REST door: experiments, runs and their files. Runs are written by MLflow clients."""

from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.tenants.access.idempotency import IdempotentPosts
from apps.tenants.access.people.principal import acting
from apps.tracking import experiments
from apps.tracking.api.runs_shown import (
    ExperimentFacts,
    ExperimentNew,
    ExperimentShown,
    RunFacts,
    RunFileShown,
    RunShown,
    RunWhole,
)
from apps.tracking.files import archives, blobs
from apps.tracking.files.paths import clean_artifact_path
from apps.tracking.models import Experiment, Run, RunFile
from apps.tracking.runs import life, selection
from apps.tracking.scoping import experiments_for, projects_for, runs_for
from maestro.api.etags import check_match, tagged
from maestro.api.permissions import asking, reading_and_writing
from maestro.api.queries import choice, flag
from maestro.clock import now_ms
from maestro.errors import NotFound
from maestro.http.streams import archive_response, file_response

OF_PROJECT = OpenApiParameter("project", str, description="id or slug")
RUN_FILTERS = [
    OF_PROJECT,
    OpenApiParameter("experiment", int),
    OpenApiParameter("status", str, enum=Run.Status.values),
    OpenApiParameter("deleted", bool, description="show the trash instead; only what is not in it without this"),
]


def number_of(text: str) -> int:
    """Read an experiment's number. Raises NotFound for what can't be one."""
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise NotFound("there is no such experiment")
    return int(text)


def of_project(request: Request, rows: Any, path: str) -> Any:
    """Keep rows of the project that the query names."""
    reference = request.query_params.get("project")
    return rows.filter(**{path: projects_for(asking(request)).fetch(reference)}) if reference else rows


def trash(request: Request, rows: Any) -> Any:
    """Keep what is not in the trash, or what is."""
    return rows.filter(deleted_ms__isnull=not flag(request, "deleted"))


class ExperimentList(IdempotentPosts, GenericAPIView[Experiment]):
    """All experiments, and new ones."""

    required_role = reading_and_writing()
    serializer_class = ExperimentShown
    page_ordering = ("-id",)

    @extend_schema(
        operation_id="experiments_list", parameters=[OF_PROJECT, OpenApiParameter("name", str), RUN_FILTERS[3]]
    )
    def get(self, request: Request) -> Response:
        """List experiments, newest first."""
        found = of_project(request, experiments_for(asking(request)), "project").select_related("project")
        if "name" in request.query_params:
            found = found.filter(name=request.query_params["name"])
        page = self.paginate_queryset(trash(request, found))
        return self.get_paginated_response(ExperimentShown(page, many=True).data)

    @extend_schema(operation_id="experiments_create", request=ExperimentNew, responses={201: ExperimentShown})
    def post(self, request: Request) -> Response:
        """Make an experiment in a project. A taken name is 409."""
        asked = ExperimentNew(data=request.data)
        asked.is_valid(raise_exception=True)
        name, project = asked.validated_data["name"], asked.validated_data.get("project")
        tags = {experiments.PROJECT_TAG: project} if project else {}
        number = experiments.create(name, acting(request), tags=tags, now=now_ms())
        made = Experiment.objects.select_related("project").get(pk=number)
        return tagged(request, ExperimentShown(made).data, status=201)


class ExperimentDetail(GenericAPIView[Experiment]):
    """One experiment, by number."""

    required_role = reading_and_writing()
    serializer_class = ExperimentShown

    def find(self, request: Request, experiment: str) -> Experiment:
        """Fetch the experiment. Raises NotFound."""
        found: Experiment = experiments_for(asking(request)).select_related("project").fetch(number_of(experiment))
        return found

    @extend_schema(operation_id="experiments_get")
    def get(self, request: Request, experiment: str) -> Response:
        """Show an experiment."""
        return tagged(request, ExperimentShown(self.find(request, experiment)).data)

    @extend_schema(operation_id="experiments_patch", request=ExperimentFacts, responses=ExperimentShown)
    def patch(self, request: Request, experiment: str) -> Response:
        """Rename an experiment."""
        asked = ExperimentFacts(data=request.data)
        asked.is_valid(raise_exception=True)
        number = number_of(experiment)

        def guard() -> None:
            check_match(request, ExperimentShown(self.find(request, experiment)).data, required=False)

        experiments.rename(number, asked.validated_data["name"], acting(request), now=now_ms(), guard=guard)
        found = self.find(request, experiment)
        return tagged(request, ExperimentShown(found).data)


class RunList(GenericAPIView[Run]):
    """All runs."""

    required_role = reading_and_writing()
    serializer_class = RunShown
    page_ordering = ("-id",)

    @extend_schema(operation_id="runs_list", parameters=RUN_FILTERS)
    def get(self, request: Request) -> Response:
        """List runs, newest first. MLflow's runs/search filters by metrics, params and tags."""
        found = of_project(request, runs_for(asking(request)), "experiment__project")
        query = request.query_params
        if "experiment" in query:
            found = found.filter(experiment=number_of(query["experiment"]))
        if status := choice(request, "status", Run.Status.values):
            found = found.filter(status=status)
        page = self.paginate_queryset(trash(request, found).select_related("experiment__project"))
        return self.get_paginated_response(RunShown(page, many=True).data)


class RunDetail(GenericAPIView[Run]):
    """One run, by its 32 hex digits or as a UUID."""

    required_role = reading_and_writing()
    serializer_class = RunWhole

    def find(self, request: Request, run: str) -> Run:
        """Fetch the run with what it logged. Raises NotFound."""
        rows = runs_for(asking(request)).select_related("experiment__project")
        found: Run = rows.prefetch_related("params", "tags", "latest__key").fetch(run)
        return found

    @extend_schema(operation_id="runs_get")
    def get(self, request: Request, run: str) -> Response:
        """Show a run with its params, tags and latest metrics."""
        return tagged(request, RunWhole(self.find(request, run)).data)

    @extend_schema(operation_id="runs_patch", request=RunFacts, responses=RunWhole)
    def patch(self, request: Request, run: str) -> Response:
        """Rename or end a run."""
        asked = RunFacts(data=request.data)
        asked.is_valid(raise_exception=True)

        def guard() -> None:
            check_match(request, RunWhole(self.find(request, run)).data, required=False)

        said = life.Change(**asked.validated_data)
        life.change(selection.read_id(run), said, acting(request), now=now_ms(), guard=guard)
        return tagged(request, RunWhole(self.find(request, run)).data)


class RunFiles(GenericAPIView[RunFile]):
    """The files of a run."""

    required_role = reading_and_writing()
    serializer_class = RunFileShown
    page_ordering = ("path",)

    @extend_schema(operation_id="run_files_list")
    def get(self, request: Request, run: str) -> Response:
        """List a run's files by path."""
        found = runs_for(asking(request)).fetch(run)
        page = self.paginate_queryset(RunFile.objects.select_related("blob").filter(run=found))
        return self.get_paginated_response(RunFileShown(page, many=True).data)


class RunFileDownload(APIView):
    """The bytes of one file of a run."""

    required_role = reading_and_writing()

    @extend_schema(operation_id="run_files_get", responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, run: str, path: str) -> HttpResponseBase:
        """Download a file, whole or one range."""
        rows = RunFile.objects.select_related("blob").filter(run=runs_for(asking(request)).fetch(run))
        file = rows.filter(path=clean_artifact_path(path)).first()
        if file is None:
            raise NotFound("there is no such file")
        blob = file.blob
        return file_response(
            request._request,
            name=file.path,
            sha256=blob.sha256,
            size_bytes=blob.size_bytes,
            read=lambda start, stop: blobs.read(blob, start, stop),
        )


class RunArchive(APIView):
    """The files of a run as one."""

    required_role = "viewer"

    @extend_schema(
        operation_id="run_files_archive",
        parameters=[OpenApiParameter("folder", str, description="only what is in it")],
        responses={(200, "application/zip"): OpenApiTypes.BINARY, (200, "application/x-tar"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, run: str, kind: str) -> HttpResponseBase:
        """Download a run's files, or those in a folder, as `archive.zip` or `archive.tar`, not compressed."""
        found = runs_for(asking(request)).fetch(run)
        files = archives.members_of(found.files.all(), request.query_params.get("folder", ""))
        made = archives.archive(kind, files)
        return archive_response(
            request._request,
            name=f"{found.pk.hex}.{kind}",
            kind=made.content_type,
            tag=made.mark,
            size_bytes=made.size_bytes,
            pieces=made.pieces,
        )
