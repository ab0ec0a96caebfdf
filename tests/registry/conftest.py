"""What the pages of this room are tried with: the scene and the people of the room below."""

from tests.tracking.conftest import person, scene

__all__ = ["person", "scene"]
