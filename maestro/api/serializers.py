"""The floor: serializers that refuse what they do not know, and fields that take only their own JSON type."""

import math
from collections.abc import Callable, Iterable
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from maestro import limits
from maestro.errors import Invalid


def object_in(request: Request) -> dict[str, Any]:
    """Read a body that must be a JSON object. Raises Invalid."""
    if not isinstance(request.data, dict):
        raise Invalid("the body must be a JSON object", "bad_json")
    return request.data


def read_each(pairs: Iterable[tuple[Any, Any]], read: Callable[[Any], Any]) -> dict[Any, Any]:
    """Read the items of a list or an object, and no further after as many faults as one answer names."""
    good: dict[Any, Any] = {}
    faults: dict[Any, Any] = {}
    for key, item in pairs:
        try:
            good[key] = read(item)
        except serializers.ValidationError as error:
            faults[key] = error.detail
        if len(faults) == limits.FAULTS:
            faults["non_field_errors"] = ["what follows was not looked at"]
            break
    if faults:
        raise serializers.ValidationError(faults)
    return good


class BoundedList(serializers.ListSerializer[Any]):
    """A list of objects whose length is looked at before anything in it."""

    max_length: int | None
    min_length: int | None

    def to_internal_value(self, data: Any) -> Any:
        """Read a list of a right length; of any other its length is refused."""
        most, least = self.max_length, self.min_length or 0
        if isinstance(data, list) and max(least, 1) <= len(data) and (most is None or len(data) <= most):
            return list(read_each(enumerate(data), self.run_child_validation).values())
        return super().to_internal_value(data)


class Listed(serializers.ListField):
    """A list of simple values whose length is looked at before anything in it."""

    def run_child_validation(self, data: Any) -> Any:
        """Read the items, if they are not too many."""
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return list(read_each(enumerate(data), self.child.run_validation).values())


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses unknown and read-only fields instead of ignoring them."""

    class Meta:
        list_serializer_class = BoundedList

    def to_internal_value(self, data: Any) -> Any:
        """Raise ValidationError naming the first fields that can't be sent, and how many more there are."""
        if isinstance(data, dict):
            writable = {name for name, one in self.fields.items() if not one.read_only}
            wrong = [name for name in data if name not in writable]
            if wrong:
                raise serializers.ValidationError(self.refusals(wrong), code="unknown_field")
        return super().to_internal_value(data)

    def refusals(self, wrong: list[Any]) -> dict[str, list[str]]:
        """Say of each field why it can't be sent."""
        said = {
            str(name)[:100]: ["can't be set" if name in self.fields else "there is no such field"]
            for name in wrong[: limits.FAULTS]
        }
        more = len(wrong) - limits.FAULTS
        return said | ({"non_field_errors": [f"and {more} more fields that can't be sent"]} if more > 0 else {})


class Text(serializers.CharField):
    """Text, unchanged. Numbers and booleans are not text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**({"trim_whitespace": False, "max_length": limits.TEXT_CHARS} | kwargs))

    def to_internal_value(self, data: Any) -> str:
        """Refuse what is not a JSON string."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    """A whole number within 64 bits."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**({"min_value": limits.INT64_MIN, "max_value": limits.INT64_MAX} | kwargs))

    def to_internal_value(self, data: Any) -> int:
        """Refuse text, fractions and booleans."""
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class Real(serializers.FloatField):
    """A finite number."""

    def to_internal_value(self, data: Any) -> float:
        """Refuse text, booleans, NaN and infinities."""
        if not isinstance(data, int | float) or isinstance(data, bool) or not math.isfinite(data):
            self.fail("invalid")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """true or false, and no words for them."""

    def to_internal_value(self, data: Any) -> bool:
        """Refuse anything but a JSON boolean."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


@extend_schema_field({"type": ["number", "string", "boolean", "null"], "maxLength": 1_000})
class Scalar(serializers.Field[Any, Any, Any, Any]):
    """A number, a short text, true, false or null."""

    default_error_messages = {"invalid": "send a finite number, a text of at most 1,000 characters, a boolean or null"}

    def to_internal_value(self, data: Any) -> Any:
        """Refuse lists, objects, long texts, NaN and infinities."""
        if isinstance(data, str) and len(data) <= 1_000:
            return data
        if data is None or isinstance(data, bool) or (isinstance(data, int | float) and math.isfinite(data)):
            return data
        self.fail("invalid")

    def to_representation(self, value: Any) -> Any:
        """Show it as it is."""
        return value


class Mapped(serializers.DictField):
    """An object of at most 500 entries with keys of bounded length."""

    most = 500

    def to_internal_value(self, data: Any) -> Any:
        """Refuse too many or too long keys."""
        if isinstance(data, dict) and (len(data) > self.most or any(len(k) > limits.KEY_CHARS for k in data)):
            raise serializers.ValidationError(
                f"at most {self.most} entries, with keys of at most {limits.KEY_CHARS} characters", code="too_many"
            )
        return super().to_internal_value(data)

    def run_child_validation(self, data: Any) -> Any:
        """Read the entries."""
        return read_each(((str(key), item) for key, item in data.items()), self.child.run_validation)
