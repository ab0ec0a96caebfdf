"""The registry room's admin: artifacts, versions with their lineage, and cards on the pages of lower rooms."""

from apps.registry.admin import (
    acts,
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
    trash,
    versions,
)

__all__ = [
    "acts",
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
    "trash",
    "versions",
]
