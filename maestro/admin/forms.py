"""The floor: forms of the admin that hold long texts, and the rows below a form."""

from typing import Any

from django.contrib.admin import TabularInline
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest

# So many rows can be added at once; Django itself makes whatever a form says, up to two thousand.
MORE_ROWS = 12


class LongForm(ModelForm):
    """A form that browsers send in parts: its texts need no percent-escapes, and so may be longer than a plain form."""

    def is_multipart(self) -> bool:
        """Say so to the page."""
        return True


class Rows(TabularInline):
    """Rows below a form: those that are there, and a few more."""

    def get_formset(self, request: HttpRequest, obj: Model | None = None, **kwargs: Any) -> Any:
        """Bound how many are made of what is sent."""
        held = self.model._default_manager.filter(**{self.parent_model._meta.model_name: obj}).count() if obj else 0
        most = held + MORE_ROWS
        return super().get_formset(request, obj, **{"max_num": most, "absolute_max": most, **kwargs})
