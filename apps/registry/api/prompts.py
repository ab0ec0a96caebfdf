"""The registry room's REST door: the shape of a prompt's template."""

from rest_framework import serializers

from apps.registry import prompts


class MessageShown(serializers.Serializer[prompts.Message]):
    """A message of a chat."""

    role = serializers.CharField()
    content = serializers.CharField()


class PromptShown(serializers.Serializer[prompts.Template]):
    """A prompt's template."""

    text = serializers.CharField(help_text="as it was given; a chat's is the JSON text of its messages")
    is_chat = serializers.BooleanField()
    messages = MessageShown(many=True)
    variables = serializers.ListField(child=serializers.CharField(), help_text="the names of its blanks")
    response_format = serializers.CharField(help_text="a JSON schema as text, or empty")
