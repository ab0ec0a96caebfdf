"""Management commands as an operator runs them, who reads what they tell as JSON."""

from io import StringIO
from typing import Any

import orjson
from django.core.management import CommandError, call_command

from maestro.database.session import connection


def run_command(name: str, *args: object, **options: Any) -> tuple[dict[str, Any], int]:
    """Run one; returns what it told, or its refusal, and its exit code. The tenant stays the one that it was."""
    out, code, tenant = StringIO(), 0, connection.tenant
    try:
        call_command(name, *map(str, args), "--output", "json", stdout=out, **options)
    except CommandError as error:
        code = error.returncode
        if not out.getvalue():
            return {"refused": str(error)}, code
    finally:
        connection.set_tenant(tenant)
    return orjson.loads(out.getvalue()), code
