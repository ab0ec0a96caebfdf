"""A message in the queue outlives a release: each task says its name, and keeps what older messages carry."""

import ast
from pathlib import Path

from config.celery import app

ROOT = Path(__file__).resolve().parents[2]
# Names that were in a release. A task may move to another module; it may not lose its name.
RELEASED = {
    "apps.recommendations.tasks": "answer foresee look look_everywhere prune prune_learnings resume_trainings train train_all_tonight train_tonight",
    "apps.registry.tasks": "observe_all observe_everywhere observe_usages",
    "apps.tenants.access.tasks": "forget_expired forget_expired_everywhere prune_audit prune_audit_everywhere send_reset_letters",
    "apps.tracking.tasks": "fold_everywhere fold_runs mark_lost_everywhere mark_lost_runs prune_everywhere prune_trash write_export",
}


def test_names_of_older_releases_are_still_understood() -> None:
    app.loader.import_default_modules()
    released = {f"{module}.{name}" for module, names in RELEASED.items() for name in names.split()}
    assert released <= set(app.tasks)


def test_each_task_says_its_name() -> None:
    silent = [
        f"{path.relative_to(ROOT)}:{function.name}"
        for path in ROOT.glob("apps/**/tasks.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        for mark in function.decorator_list
        if "task" in ast.unparse(mark) and not (isinstance(mark, ast.Call) and "name=" in ast.unparse(mark))
    ]
    assert silent == []
