"""The registry room: prompts: artifacts whose versions each hold a template for a language model. No Django here.

A template stands twice: as the version's file, which gives it a digest, and as the notes that MLflow's clients read.
Whichever a client sent, the other is made of it, and neither changes.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from maestro import limits
from maestro.api import json
from maestro.errors import Invalid, TooLarge

IS_PROMPT, TEXT, TYPE = "mlflow.prompt.is_prompt", "mlflow.prompt.text", "_mlflow_prompt_type"
RESPONSE_FORMAT, MODEL_CONFIG = "_mlflow_prompt_response_format", "_mlflow_prompt_model_config"
KEPT = frozenset({IS_PROMPT, TEXT, TYPE, RESPONSE_FORMAT})
# What MLflow's clients write where a version has to name a source, and prompts have none.
PLACEHOLDERS = frozenset({"dummy-source", "prompt-template"})
TEXT_FILE, CHAT_FILE, FORMAT_FILE = "prompt.txt", "prompt.json", "response_format.json"
FILES = frozenset({TEXT_FILE, CHAT_FILE, FORMAT_FILE})
MESSAGES_MOST, VARIABLES_MOST = 1_000, 1_000
BYTES_MOST = 4 * limits.REGISTRY_TAG_VALUE_CHARS  # the characters that a note takes, in UTF-8
VARIABLE = re.compile(r"\{\{\s*([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\s*\}\}", re.ASCII)


@dataclass(frozen=True)
class Message:
    """One message of a chat: who says it, and what, with its blanks."""

    role: str
    content: str


@dataclass(frozen=True)
class Template:
    """A template as it was given: plain text, or the JSON text of a chat's messages."""

    text: str
    is_chat: bool = False
    response_format: str = ""

    @property
    def messages(self) -> list[Message]:
        """The messages of a chat; a plain text has none."""
        if not self.is_chat:
            return []
        return [Message(one["role"], as_words(one.get("content", ""))) for one in orjson.loads(self.text)]

    @property
    def words(self) -> str:
        """All that people read of it, a chat's roles above their messages."""
        return "\n\n".join(f"{one.role}:\n{one.content}" for one in self.messages) if self.is_chat else self.text

    @property
    def variables(self) -> list[str]:
        """The names of its blanks, `{{ like_this }}`, in the order of their first use."""
        said = "\n".join(one.content for one in self.messages) if self.is_chat else self.text
        return list(dict.fromkeys(VARIABLE.findall(said)))[:VARIABLES_MOST]

    @property
    def tags(self) -> dict[str, str]:
        """The notes that MLflow's clients read it from."""
        told = {IS_PROMPT: "true", TYPE: "chat" if self.is_chat else "text", TEXT: self.text}
        return told | ({RESPONSE_FORMAT: self.response_format} if self.response_format else {})

    @property
    def files(self) -> dict[str, str]:
        """The files that hold it, by path."""
        told = {CHAT_FILE if self.is_chat else TEXT_FILE: self.text}
        return told | ({FORMAT_FILE: self.response_format} if self.response_format else {})


def as_words(content: Any) -> str:
    """Write a message's content for people: text as it is, parts with pictures and the like as JSON."""
    return content if isinstance(content, str) else orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()


def is_said(tags: Mapping[str, str]) -> bool:
    """Say whether notes tell of a prompt."""
    return tags.get(IS_PROMPT, "").lower() == "true"


def from_tags(tags: Mapping[str, str]) -> Template:
    """Read a template from notes. Raises Invalid."""
    if not tags.get(TEXT):
        raise bad_template(f"a version of a prompt needs the tag {TEXT}")
    template = Template(tags[TEXT], tags.get(TYPE) == "chat", tags.get(RESPONSE_FORMAT, ""))
    check(template)
    return template


def from_files(texts: Mapping[str, str]) -> Template:
    """Read a template from files. Raises Invalid."""
    check_paths(texts)
    text = texts.get(TEXT_FILE, texts.get(CHAT_FILE, ""))
    if not text:
        raise bad_template("a prompt is not empty")
    template = Template(text, CHAT_FILE in texts, texts.get(FORMAT_FILE, ""))
    check(template)
    return template


def check_paths(paths: Iterable[str]) -> None:
    """Raise Invalid unless these are the files of one template."""
    told = list(paths)
    if set(told) - FILES or (TEXT_FILE in told) == (CHAT_FILE in told):
        raise bad_template(
            f"a version of a prompt has one file, {TEXT_FILE} or {CHAT_FILE}, and may have {FORMAT_FILE}"
        )


def of(version: Any) -> Template | None:
    """Read the template of a version whose notes are fetched; None for what is no prompt's."""
    tags = {tag.key: tag.value for tag in version.tags.all() if tag.key in KEPT}
    if not is_said(tags):
        return None
    with suppress(Invalid):
        return from_tags(tags)
    return None


def check(template: Template) -> None:
    """Raise Invalid for a template that is too long, or is no chat where it should be one."""
    for text in (template.text, template.response_format):
        if len(text) > limits.REGISTRY_TAG_VALUE_CHARS:
            raise too_long()
        if "\x00" in text:
            raise bad_template("a prompt holds no NUL")
    if template.response_format:
        parsed(template.response_format, "the response format")
    if template.is_chat:
        check_chat(template)


def check_chat(template: Template) -> None:
    """Raise Invalid for what is no list of messages."""
    messages = parsed(template.text, "a chat")
    if not isinstance(messages, list) or not 0 < len(messages) <= MESSAGES_MOST:
        raise bad_template(f"a chat is a list of 1 to {MESSAGES_MOST} messages")
    for index, one in enumerate(messages):
        if not isinstance(one, dict) or not isinstance(one.get("role"), str):
            raise bad_template(f"message {index} of the chat is no object with a role and a content")


def parsed(text: str, what: str) -> Any:
    """Read JSON as strictly as a body: what is nested deeper can be read and not be written again. Raises Invalid."""
    try:
        return json.loads(text.encode())
    except (Invalid, TooLarge) as error:
        raise bad_template(f"{what} is no JSON that is taken here: {error.detail}") from error


def too_long() -> Invalid:
    """Say how long a template may be."""
    return bad_template(f"a prompt has at most {limits.REGISTRY_TAG_VALUE_CHARS} characters")


def bad_template(detail: str) -> Invalid:
    """Say what is wrong with a template."""
    return Invalid(detail, "bad_prompt")
