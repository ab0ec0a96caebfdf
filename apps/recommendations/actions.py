"""The recommendations room: what its acts are called in the audit log."""

from apps.tenants.models import Action


class Act(Action):
    """What was asked of learning, and what came into force."""

    TRAINING_ASK = "training.ask"
    FORECAST_ASK = "forecast.ask"
    IMPORTANCE_ASK = "importance.ask"
    MODEL_ROLL_BACK = "model.roll_back"
