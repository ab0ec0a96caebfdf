"""The floor: what Prometheus sees of the web processes. Labels are few and never hold a tenant, a name or an id."""

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


def observe(method: str, path: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    door = door_of(path)
    REQUESTS.labels(door, method if method in METHODS else "OTHER", str(status)).inc()
    SECONDS.labels(door).observe(seconds)
