"""The tracking room: what one run logged, as a page shows it: the first names of each kind and how many there are."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from apps.tracking.search.key_names import OWN, escaped
from maestro.database.statements import execute

# One statement for all of it. A curve is a metric with more than one point.
LOGGED = """(SELECT 'm', k.name, NULL, l.value, l.step, count(*) OVER () FROM tracking_latestmetric l
   JOIN tracking_metrickey k ON k.id = l.key_id WHERE l.run_id = %(run)s AND k.name ILIKE %(like)s ESCAPE '!'
   ORDER BY k.name LIMIT %(most)s)
 UNION ALL (SELECT 'p', key, left(value, %(chars)s), NULL, NULL, count(*) OVER () FROM tracking_param
   WHERE run_id = %(run)s AND key ILIKE %(like)s ESCAPE '!' ORDER BY key LIMIT %(most)s)
 UNION ALL (SELECT 't', key, left(value, %(chars)s), NULL, NULL, count(*) OVER () FROM tracking_tag
   WHERE run_id = %(run)s AND key ILIKE %(like)s ESCAPE '!' AND key NOT LIKE %(own)s ORDER BY key LIMIT %(most)s)
 UNION ALL (SELECT 'o', key, value, NULL, NULL, 0 FROM tracking_tag WHERE run_id = %(run)s AND key LIKE %(own)s
   ORDER BY key LIMIT %(most)s)
 UNION ALL (SELECT 'd', d.name, d.digest || ' ' || d.source_type, NULL, NULL, 0 FROM tracking_runinput i
   JOIN tracking_dataset d ON d.id = i.dataset_id WHERE i.run_id = %(run)s ORDER BY i.id LIMIT %(most)s)
 UNION ALL (SELECT 'c', k.name, NULL, NULL, NULL, 0 FROM (SELECT x.key_id FROM (
    SELECT key_id, sum(count) AS n FROM tracking_metricchunk WHERE run_id = %(run)s GROUP BY key_id
    UNION ALL SELECT key_id, count(*) FROM tracking_metricpoint WHERE run_id = %(run)s GROUP BY key_id) x
   GROUP BY x.key_id HAVING sum(x.n) > 1) c
  JOIN tracking_metrickey k ON k.id = c.key_id WHERE k.name ILIKE %(curves)s ESCAPE '!'
  ORDER BY k.name LIMIT %(curves_n)s)"""
VALUE_CHARS = 400


@dataclass(slots=True)
class Listed:
    """The first rows of something that a run may have very many of, and how many there are."""

    rows: list[Any] = field(default_factory=list)
    count: int = 0

    @property
    def is_cut(self) -> bool:
        """Whether there are more than are shown."""
        return self.count > len(self.rows)


@dataclass(slots=True)
class Logged:
    """Metrics as (name, value, step); params, tags and datasets read as pairs; the client's own notes, names of curves."""

    metrics: Listed = field(default_factory=Listed)
    params: Listed = field(default_factory=Listed)
    tags: Listed = field(default_factory=Listed)
    datasets: Listed = field(default_factory=Listed)
    noted: dict[str, str] = field(default_factory=dict)
    curves: list[str] = field(default_factory=list)


def read(run_id: uuid.UUID, *, most: int, text: str = "", curve_text: str = "", most_curves: int) -> Logged:
    """Read what a run logged, by name: what holds a text, and the curves that hold another."""
    params = {
        "run": run_id,
        "like": f"%{escaped(text)}%",
        "curves": f"%{escaped(curve_text)}%",
        "own": OWN,
        "most": most,
        "curves_n": most_curves,
        "chars": VALUE_CHARS,
    }
    found = Logged()
    kinds = {"m": found.metrics, "p": found.params, "t": found.tags, "d": found.datasets}
    for kind, name, value, number, step, count in execute(LOGGED, params):
        if kind in kinds:
            kinds[kind].count = count
            kinds[kind].rows.append((name, number, step) if kind == "m" else (name, value))
        elif kind == "o":
            found.noted[name] = value
        else:
            found.curves.append(name)
    return found
