"""What a module's source says of its names: the text below them, and where they come from.

An attribute's docstring is the string literal below it. Python throws that away, and pydantic can keep it only by
reading the source of every model while the server starts; so it is read here, when somebody exports.
"""

import ast
import inspect
import re
from collections.abc import Iterator, Sequence
from types import ModuleType


class ModuleDocs:
    """What one module documents; every text is unwrapped Markdown, empty where there is none."""

    def __init__(self, module: ModuleType) -> None:
        body = ast.parse(inspect.getsource(module)).body
        classes = [node for node in body if isinstance(node, ast.ClassDef)]
        self.classes = {node.name: _markdown(ast.get_docstring(node) or "") for node in classes}
        """Name of a class -> its docstring."""
        self.attributes = {node.name: dict(_assignments(node.body)) for node in classes}
        """Name of a class -> name of an attribute -> text below it."""
        self.assigned = dict(_assignments(body))
        """Name that the module assigns -> text below it."""
        self.imported = {
            alias.asname or alias.name: node.module
            for node in body
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }
        """Name that the module imports -> module that it comes from."""


def _assignments(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    for statement, below in zip(body, [*body[1:], None], strict=True):
        text = ""
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            text = _markdown(inspect.cleandoc(below.value.value))
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id, text


def _markdown(text: str) -> str:
    """Unwrap a docstring's paragraphs and turn its ``literals`` into `literals`."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs).replace("``", "`")
