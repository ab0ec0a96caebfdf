"""Estimators: numbers in, numbers out. No Django, no database."""
