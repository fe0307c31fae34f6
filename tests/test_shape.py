"""The shape of the house: small files, short functions, imports on top, relations that point down."""

import ast
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(
    path
    for folder in ("apps", "config", "bench", "sdk")
    for path in (ROOT / folder).rglob("*.py")
    if "migrations" not in path.parts
)
TOWER = [
    {"core"},
    {"audit"},
    {"tenants"},
    {"identity"},
    {"events"},
    {"permissions"},
    {"objects"},
    {"modules"},
    {"api", "portal", "console", "cli"},
]
DRAWERS = {"utils.py", "helpers.py", "common.py", "misc.py", "manager.py", "base.py"}
DRAWERS_ALLOWED = {"apps/core/db/base.py", "config/settings/base.py"}  # Django looks for these very names
HOOKS = {"apps.py"}  # AppConfig.ready() runs after the models are loaded; imports there are late on purpose
TOP = {
    *("manage.py", "config", "apps", "modules", "templates", "static", "requirements", "tests", "docker"),
    *("Makefile", "pyproject.toml", "docs", "sdk", "bench", "README.md"),
    *("LICENSE", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "var"),
}


def rel(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_file_is_longer_than_400_lines() -> None:
    long = {rel(path): n for path in FILES if (n := len(path.read_text().splitlines())) > 400}
    assert long == {}


def test_no_function_is_longer_than_50_lines() -> None:
    long = {}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > 50:
                    long[f"{rel(path)}:{node.name}"] = lines
    assert long == {}


def test_imports_are_not_hidden_in_functions() -> None:
    hidden = []
    for path in FILES:
        if path.name in HOOKS or rel(path).startswith(("config/", "bench/")):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for inner in ast.walk(node):
                    names = [inner.module or ""] if isinstance(inner, ast.ImportFrom) else []
                    if any(name.startswith("apps.") for name in names):
                        hidden.append(f"{rel(path)}:{inner.lineno}")
    assert hidden == []


def test_no_drawer_of_helpers() -> None:
    found = [rel(path) for path in FILES if path.name in DRAWERS and rel(path) not in DRAWERS_ALLOWED]
    assert found == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "apps").glob("*/__init__.py")), ids=lambda item: item.parent.name
)
def test_every_app_has_its_card(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "the card is the module's docstring"
    assert len(text.strip().splitlines()) <= 6


def test_relations_of_models_point_down_the_tower() -> None:
    floor = {label: number for number, labels in enumerate(TOWER) for label in labels}
    upward = []
    for model in apps.get_models(include_auto_created=True):
        here = floor.get(model._meta.app_label)
        if here is None:
            continue
        for field in model._meta.get_fields():
            if isinstance(field, models.ForeignObject | models.ManyToManyField) and field.related_model:
                there = floor.get(field.related_model._meta.app_label, -1)
                if there > here:
                    upward.append(f"{model._meta.label}.{field.name}")
    assert upward == []


def test_every_model_says_where_it_lives() -> None:
    silent = [
        model._meta.label
        for config in apps.get_app_configs()
        if config.name.startswith("apps.")
        for model in config.get_models()
        if getattr(model, "placement", config.placement) not in {"public", "tenant", "both"}
    ]
    assert silent == []


def test_nothing_else_lies_at_the_top() -> None:
    strange = [path.name for path in ROOT.iterdir() if not path.name.startswith(".") and path.name not in TOP]
    assert strange == []
