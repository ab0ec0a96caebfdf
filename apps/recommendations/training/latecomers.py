"""The recommendations room: forecasts for projects that are younger than the last training.

Loads LightGBM: never in a web process. The models are those that serve; nothing is trained.
"""

from datetime import datetime

from apps.recommendations.estimators.forecasting import forecast_from_json
from apps.recommendations.models import Forecast, ImpactModel
from apps.recommendations.past import dataset
from apps.recommendations.past.arrays import UNITS
from apps.recommendations.past.history import ProjectRow
from apps.recommendations.training.forecasts import MOST_OPEN, ForecastFinding, ask
from apps.recommendations.training.publishing import forecast_rows
from apps.recommendations.work.promotion import unseal
from maestro.errors import Conflict


def foresee(*, at: datetime) -> int:
    """Forecast every open project that no serving model has spoken of. Returns how many forecasts were written."""
    waiting = dataset.read_history().open
    return sum(foresee_target(model, waiting, at=at) for model in serving())


def serving() -> list[ImpactModel]:
    """The forecasts that serve."""
    return list(ImpactModel.objects.champions().filter(target__in=UNITS))


def foresee_target(model: ImpactModel, waiting: tuple[ProjectRow, ...], *, at: datetime) -> int:
    """Ask one model. A model whose text was changed says nothing."""
    known = set(Forecast.objects.filter(model=model).values_list("project_id", flat=True))
    rows = tuple(row for row in waiting if row.id not in known)[:MOST_OPEN]
    if not rows:
        return 0
    try:
        document = unseal(model)
        forecast = forecast_from_json(document)
    except (Conflict, ValueError):
        return 0
    predictions, reasons = ask(forecast, rows, model.target)
    finding = ForecastFinding(
        model.target, forecast, None, "", None, 0, rows, predictions, reasons, scope=document.get("scope", {})
    )
    made = list(forecast_rows(model, finding, at=at))
    Forecast.objects.bulk_create(made, batch_size=500, ignore_conflicts=True)
    return len(made)
