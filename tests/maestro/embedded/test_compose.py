"""`make env`: what compose asks for is generated once, closed to others, and never replaced."""

import stat
from pathlib import Path

import pytest

from maestro.embedded.compose import fill_env
from maestro.embedded.errors import CannotStart
from maestro.embedded.home import read_env

COMPOSE = """
services:
  web:
    environment:
      MAESTRO_SECRET_KEY: ${MAESTRO_SECRET_KEY:?run make env}
      URL: postgresql://app:${MAESTRO_APP_PASSWORD:?run make env}@postgres/maestro
      HOST: ${MAESTRO_BASE_HOST:?the host that people type}
      LEVEL: ${MAESTRO_LOG_LEVEL:-WARNING}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    return tmp_path


def test_secrets_are_generated_and_the_rest_is_asked_for(project: Path) -> None:
    lines = fill_env(project)
    values = read_env(project / ".env")
    assert set(values) == {"MAESTRO_SECRET_KEY", "MAESTRO_APP_PASSWORD"}
    assert all(len(value) >= 32 for value in values.values())
    assert stat.S_IMODE((project / ".env").stat().st_mode) == 0o600
    assert lines[-1] == "set MAESTRO_BASE_HOST in it yourself"


def test_what_is_set_stays(project: Path) -> None:
    (project / ".env").write_text("# ours\nMAESTRO_APP_PASSWORD=chosen\nMAESTRO_SECRET_KEY=\nMAESTRO_BASE_HOST=m.org\n")
    fill_env(project)
    values = read_env(project / ".env")
    assert values["MAESTRO_APP_PASSWORD"] == "chosen"
    assert len(values["MAESTRO_SECRET_KEY"]) >= 32
    assert (project / ".env").read_text().startswith("# ours\n")
    before = (project / ".env").read_text()
    assert fill_env(project) == [f"{project / '.env'}: nothing to generate"]
    assert (project / ".env").read_text() == before


def test_no_compose_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"compose\.yaml is missing"):
        fill_env(tmp_path)
