"""The page of limits is the module of limits."""

import json
from io import StringIO
from pathlib import Path

from django.core.management import call_command

from apps.tenants import bounds
from maestro import limits

PAGE = Path(__file__).resolve().parents[2] / "docs" / "limits.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == bounds.markdown()


def test_the_command_lists_every_bound() -> None:
    out = StringIO()
    call_command("show_limits", output="json", stdout=out)
    named = {name for name in vars(limits) if name.isupper()}
    assert set(json.loads(out.getvalue())) == named
