"""The registry room: what its acts are called in the audit log."""

from apps.tenants.models import Action


class Act(Action):
    """What was done to artifacts, their versions and aliases, and what was said of their use."""

    ARTIFACT_CREATE = "artifact.create"
    ARTIFACT_RENAME = "artifact.rename"
    ARTIFACT_CHANGE = "artifact.change"
    ARTIFACT_TAG = "artifact.tag"
    ARTIFACT_UNTAG = "artifact.untag"
    ARTIFACT_DELETE = "artifact.delete"
    VERSION_CREATE = "version.create"
    VERSION_CHANGE = "version.change"
    VERSION_TAG = "version.tag"
    VERSION_UNTAG = "version.untag"
    VERSION_STAGE = "version.stage"
    VERSION_DELETE = "version.delete"
    ALIAS_SET = "alias.set"
    ALIAS_MOVE = "alias.move"
    ALIAS_DELETE = "alias.delete"
    LOGGED_MODEL_UNTAG = "logged_model.untag"
    LOGGED_MODEL_DELETE = "logged_model.delete"
    PROJECT_USAGES = "project.usages"
