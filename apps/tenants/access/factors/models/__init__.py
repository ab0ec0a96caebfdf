"""Second factors: the rows."""

from apps.tenants.access.factors.models.factors import Authenticator, FactorRule, RecoveryCode

__all__ = ["Authenticator", "FactorRule", "RecoveryCode"]
