"""Second factors and sessions: the rows."""

from apps.tenants.access.factors.models.factors import Authenticator, FactorRule, RecoveryCode
from apps.tenants.access.factors.models.sessions import Session

__all__ = ["Authenticator", "FactorRule", "RecoveryCode", "Session"]
