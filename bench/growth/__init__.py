"""Measure how cost per request grows with runs, with points and with tenants, and what a migration of a fleet costs."""
