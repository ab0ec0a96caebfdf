"""The bench's own: results as Markdown, with each budget met or by how much not."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from bench.load.measuring import Found, Row, cpu, ratio

HEAD = "| scenario | server | CPU ms an operation (server + Postgres) | units/s | p50 ms | client: share of a core | errors |"


@dataclass(frozen=True)
class Budget:
    """What docs promise of one scenario: CPU, and ratios in one run. `key` is what the ratios compare."""

    cpu_ms: float
    mlflow_cpu: float | None = None
    mlflow_p50: float | None = None
    limit_units: float | None = None
    limit_p50: float | None = None


# CPU milliseconds of server and Postgres for one operation; an operation is a request or a job.
BUDGETS = {
    "log-batch-1000": Budget(6.0, mlflow_cpu=28, limit_units=1.0),
    "log-metric": Budget(1.8, mlflow_cpu=5),
    "ci-job": Budget(5.5, mlflow_cpu=8),
    "search-filter": Budget(8.0, mlflow_p50=20, limit_p50=3),
    "search-page": Budget(25.0, mlflow_cpu=40),
    "history-page": Budget(12.0, mlflow_cpu=25, limit_units=0.7),
    "history-bulk": Budget(25.0, mlflow_p50=6),
}


def measured(found: Found) -> Iterator[str]:
    """List what was measured."""
    yield HEAD
    yield "|---|---|---|---|---|---|---|"
    for scenario, servers in found.items():
        for name, rows in servers.items():
            if rows:
                yield f"| {scenario} | {name} | {figures(rows)} |"


def figures(rows: list[Row]) -> str:
    """One server's medians in one scenario."""
    speed, p50 = median(row["units_per_s"] for row in rows), median(row["p50_ms"] for row in rows)
    shares = [row["client_cpu_share_of_one_core"] for row in rows if "client_cpu_share_of_one_core" in row]
    client = f"{median(shares):.2f}" if shares else "–"
    return f"{cpu(rows):.2f} | {speed:,.0f} | {p50:.1f} | {client} | {sum(row.get('errors', 0) for row in rows)}"


def judged(found: Found) -> Iterator[str]:
    """List each budget with what was reached, and by how much it was missed."""
    yield "| scenario | budget | reached | met |"
    yield "|---|---|---|---|"
    for scenario, budget in BUDGETS.items():
        servers = found.get(scenario, {})
        mine = servers.get("maestro", [])
        if mine:
            for wanted, reached, met in verdicts(budget, mine, servers):
                yield f"| {scenario} | {wanted} | {reached} | {met} |"


def verdicts(budget: Budget, mine: list[Row], servers: dict[str, list[Row]]) -> Iterator[tuple[str, str, str]]:
    """Compare one scenario with its promises."""
    spent = cpu(mine)
    yield f"≤ {budget.cpu_ms:g} CPU ms", f"{spent:.2f}", at_most(spent, budget.cpu_ms)
    others = servers.get("mlflow", []), servers.get("limit", [])
    for wanted, rows, key, words in (
        (budget.mlflow_cpu, others[0], "cpu", "× less CPU than MLflow"),
        (budget.mlflow_p50, others[0], "p50_ms", "× faster than MLflow in p50"),
    ):
        reached = ratio(mine, rows, key)
        if wanted and reached:
            yield f"≥ {wanted:g} {words}", f"{reached:.1f} ×", at_least(reached, wanted)
    speed = ratio(others[1], mine, "units_per_s")
    if budget.limit_units and speed:
        yield (
            f"≥ {budget.limit_units:g} × the limit's throughput",
            f"{speed:.2f} ×",
            at_least(speed, budget.limit_units),
        )
    slower = ratio(others[1], mine, "p50_ms")
    if budget.limit_p50 and slower:
        yield f"≤ {budget.limit_p50:g} × the limit's p50", f"{slower:.2f} ×", at_most(slower, budget.limit_p50)


def at_most(reached: float, wanted: float) -> str:
    """Say whether a bound holds."""
    return "yes" if reached <= wanted else f"no: {100 * (reached / wanted - 1):.0f} % over"


def at_least(reached: float, wanted: float) -> str:
    """Say whether a ratio is reached."""
    return "yes" if reached >= wanted else f"no: {100 * reached / wanted:.0f} % of it"


def ratios(found: Found) -> Iterator[str]:
    """List how Maestro stands to the others: CPU, p50 and throughput, as medians of the ratios within each round."""
    yield "| scenario | less CPU than MLflow | p50 faster than MLflow | units/s to MLflow | CPU to the limit | units/s to the limit |"
    yield "|---|---|---|---|---|---|"
    for scenario, servers in found.items():
        mine, theirs, limit = (servers.get(name, []) for name in ("maestro", "mlflow", "limit"))
        if mine and (theirs or limit):
            less, faster = ratio(mine, theirs, "cpu"), ratio(mine, theirs, "p50_ms")
            more, cost = ratio(theirs, mine, "units_per_s"), ratio(limit, mine, "cpu")
            near = ratio(limit, mine, "units_per_s")
            cells = " | ".join(f"{number:.2f} ×" if number else "–" for number in (less, faster, more, cost, near))
            yield f"| {scenario} | {cells} |"
