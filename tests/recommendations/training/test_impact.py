"""One finding for both units: equal steps, each set of projects laid out once."""

from collections.abc import Sequence

from apps.recommendations.estimators import minimum_data
from apps.recommendations.estimators.data import ImpactData
from apps.recommendations.estimators.impact import estimate_impact
from apps.recommendations.past import dataset
from apps.recommendations.past.arrays import project_data
from apps.recommendations.past.history import ProjectRow
from apps.recommendations.training.holdout import NO_RIVAL, project_losses
from apps.recommendations.training.impact import Meter, Unit, find_impact
from apps.tenants.models import Tenant
from tests.factories.learning import make_past


def test_each_set_of_projects_is_laid_out_once(acme: Tenant) -> None:
    make_past(220)
    history = dataset.read_history()
    laid_out: list[frozenset[str]] = []

    def arrays(rows: Sequence[ProjectRow]) -> ImpactData:
        laid_out.append(frozenset(row.slug for row in rows))
        return project_data(rows, history.artifacts)

    unit = Unit(
        "project",
        "impact",
        arrays=arrays,
        estimate=estimate_impact,
        losses=project_losses,
        uses=lambda some: ((row.id, row.used) for row in some),
        classed=(history.finished, minimum_data.IMPACT_PROJECTS),
    )
    steps: list[str] = []
    meter = Meter(lambda share, step: steps.append(step), 6.0)
    found = find_impact(unit, history.finished, NO_RIVAL, seed=1, meter=meter)
    assert set(found.results) == set(found.users) == {"", "classification", "regression"}
    assert found.judged is not None
    # All projects, each class, and the two sides of the backtest.
    assert len(laid_out) == len(set(laid_out)) == 5
    assert set(steps) == {"impact", "backtest of impact"}
