"""Says which parameters and results have no type: `file:line:column: warning: what`."""

import ast
import sys
from pathlib import Path


def missing(tree: ast.AST):
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for argument in node.args.args:
                if argument.annotation is None and argument.arg != "self":
                    yield argument, f"parameter “{argument.arg}” has no type"
            if node.returns is None:
                yield node, f"“{node.name}” does not say what it returns"


found = 0
for path in sorted(Path(sys.argv[1]).rglob("*.py")):
    for place, what in missing(ast.parse(path.read_text())):
        found += 1
        print(f"{path}:{place.lineno}:{place.col_offset + 1}: \033[33mwarning:\033[0m {what}")
sys.exit(found > 0)
