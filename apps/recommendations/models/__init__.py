"""The recommendations room: trainings, and what they say."""

from apps.recommendations.models.advice import Advice
from apps.recommendations.models.asked import Asked
from apps.recommendations.models.forecasts import Forecast, WhatIf
from apps.recommendations.models.impact import ImpactModel, ImpactScore
from apps.recommendations.models.importance import Importance
from apps.recommendations.models.trainings import Training

__all__ = ["Advice", "Asked", "Forecast", "ImpactModel", "ImpactScore", "Importance", "Training", "WhatIf"]
