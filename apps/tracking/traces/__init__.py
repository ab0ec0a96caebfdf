"""Traces: their spans and assessments, recorded, searched and laid out."""
