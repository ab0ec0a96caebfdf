"""The recommendations room's admin: impact, trainings, and the cards that it adds to the pages of lower rooms."""

from apps.recommendations.admin import calibration, cards, impact, importance, tables, trainings, what_if

__all__ = ["calibration", "cards", "impact", "importance", "tables", "trainings", "what_if"]
