"""The roof: liveness, readiness and metrics, answered before any tenant is looked up."""

import hmac
import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest, multiprocess

from apps.tenants.models import TemplateSchema
from apps.tenants.template import current_head
from maestro.database.session import connection
from maestro.metrics import observe
from maestro.storage import StorageProblem, probe

VERSION = "3.17.2"
KEEP_SECONDS = 2.0


class HealthMiddleware:
    """Answers /livez, /readyz, /health, /version and /metrics on any host."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.pages = {
            "/livez": live,
            "/health": live,
            "/readyz": ready,
            "/version": version,
            "/metrics": metrics,
        }

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a probe, or pass on and measure."""
        page = self.pages.get(request.path)
        if page:
            return page(request)
        start = time.perf_counter()
        response = self.get_response(request)
        observe(request.method or "", request.path, response.status_code, time.perf_counter() - start)
        return response


def live(request: HttpRequest) -> HttpResponse:
    """Say that the process runs. No I/O."""
    return HttpResponse("OK", content_type="text/plain")


def version(request: HttpRequest) -> HttpResponse:
    """Name the version of the MLflow protocol that is spoken here."""
    return HttpResponse(VERSION, content_type="text/plain")


def ready(request: HttpRequest) -> HttpResponse:
    """Say whether this process can serve, as was found within the last seconds."""
    faults = readiness.faults()
    return JsonResponse({"ready": not faults, "faults": faults}, status=503 if faults else 200)


class Readiness:
    """What was found when somebody last looked. Anybody may ask, so not everybody who asks makes us look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, str] = {}
        self._until = 0.0

    def faults(self) -> dict[str, str]:
        """Name what is wrong. One looks; who comes meanwhile waits for what is found."""
        if time.monotonic() >= self._until:
            with self._lock:
                if time.monotonic() >= self._until:
                    self._found = look()
                    self._until = time.monotonic() + KEEP_SECONDS
        return self._found

    def forget(self) -> None:
        """Look again at the next question (tests)."""
        self._until = 0.0


readiness = Readiness()


def look() -> dict[str, str]:
    """Ask the database and the object store."""
    faults = {}
    try:
        connection.set_schema_to_public()
        if not TemplateSchema.objects.filter(head=current_head()).exists():
            faults["migrations"] = "run `manage.py migrate_tenants`"
    except DatabaseError:
        faults["database"] = "does not answer"
    try:
        probe()
    except StorageProblem as error:
        faults["storage"] = str(error)
    return faults


def metrics(request: HttpRequest) -> HttpResponse:
    """Export Prometheus metrics to whoever holds the scrape token; 404 to others."""
    given = request.META.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ").strip()
    if not settings.METRICS_TOKEN or not hmac.compare_digest(given.encode(), settings.METRICS_TOKEN.encode()):
        return HttpResponse(status=404)
    registry = REGISTRY
    if settings.PROMETHEUS_FOLDER:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, path=settings.PROMETHEUS_FOLDER)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
