"""The recommendations room: trainings, and what they say."""

from apps.recommendations.models.advice import Advice
from apps.recommendations.models.forecasts import Forecast
from apps.recommendations.models.impact import ImpactModel, ImpactScore

__all__ = ["Advice", "Forecast", "ImpactModel", "ImpactScore"]
