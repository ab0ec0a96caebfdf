"""The floor: what Prometheus sees of the web processes. Labels are few and never hold a tenant, a name or an id."""

from functools import lru_cache

from prometheus_client import Counter, Histogram

REQUESTS = Counter("maestro_requests_total", "Requests answered", ["door", "method", "status"])
SECONDS = Histogram(
    "maestro_request_seconds",
    "Time to answer a request, in seconds",
    ["door"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
DOORS = (
    ("/api/v1/", "api"),
    ("/api/2.0/mlflow-artifacts/", "files"),
    ("/api/", "mlflow"),
    ("/ajax-api/", "mlflow"),
    ("/v1/traces", "mlflow"),
    ("/admin/", "admin"),
    ("/static/", "static"),
)


def door_of(path: str) -> str:
    """Name the door that an address belongs to."""
    return next((door for prefix, door in DOORS if path.startswith(prefix)), "other")


@lru_cache(maxsize=512)
def counted(door: str, method: str, status: int) -> Counter:
    """Find the counter of these labels; the few there are are kept at hand."""
    return REQUESTS.labels(door, method, str(status))


@lru_cache(maxsize=64)
def timed(door: str) -> Histogram:
    """Find the histogram of a door."""
    return SECONDS.labels(door)


def observe(method: str, path: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    door = door_of(path)
    counted(door, method if method in METHODS else "OTHER", status).inc()
    timed(door).observe(seconds)
