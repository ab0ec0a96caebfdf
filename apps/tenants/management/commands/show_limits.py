"""The tenants room's door: `manage.py show_limits`."""

from typing import Any

from django.core.management.base import CommandParser

from apps.tenants import bounds
from maestro.commands import MaestroCommand


class Command(MaestroCommand):
    """Print every bound that Maestro puts on requests, names, batches and files."""

    help = "Print every bound on requests, names, batches, pages, filters and files; as Markdown it is docs/limits.md."
    example = "manage.py show_limits --markdown > docs/limits.md"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the option."""
        super().add_arguments(parser)
        parser.add_argument("--markdown", action="store_true", help="print the page docs/limits.md")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the page as it is, or the bounds like any other result."""
        if options["markdown"]:
            self.stdout.write(bounds.markdown(), ending="")
            return
        super().handle(*args, **options)

    def answer(self, *args: Any, **options: Any) -> dict[str, Any]:
        """List all bounds by name."""
        return {name: value for section in bounds.sections().values() for name, value in section.items()}
