"""The floor: a library that is loaded at its first use, so that a process that never uses it starts without it."""

import importlib
from typing import Any


class Lazily:
    """Stands for a module: `np = Lazily("numpy")`; each name is looked up once. Raises what the import raises."""

    def __init__(self, module: str) -> None:
        self.__module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(importlib.import_module(self.__module), name)
        self.__dict__[name] = found
        return found
