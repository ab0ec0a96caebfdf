"""The registry room's admin: artifacts, versions with their lineage, and cards on the pages of lower rooms."""

from apps.registry.admin import (
    aliases,
    artifacts,
    cards,
    comparisons,
    finding,
    gates,
    lineage,
    promotions,
    signing_keys,
    site,
    storage,
    tables,
    versions,
)

__all__ = [
    "aliases",
    "artifacts",
    "cards",
    "comparisons",
    "finding",
    "gates",
    "lineage",
    "promotions",
    "signing_keys",
    "site",
    "storage",
    "tables",
    "versions",
]
