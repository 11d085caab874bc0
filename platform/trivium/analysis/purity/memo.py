"""The one change of kept state that is pure: remembering what a key alone decides."""

from __future__ import annotations

import ast


def is_memo(node: ast.stmt, function: ast.AST | None) -> bool:
    """Return whether this is `kept[key] = value` in a function that reads the same key, and `value` is not of `kept`.

    `if key not in kept: kept[key] = compute(key)` changes cost and no answer; `kept[key] = kept.get(key, 0) + 1`
    is a count.
    """
    if function is None or not isinstance(node, ast.Assign) or len(node.targets) != 1:
        return False
    target = node.targets[0]
    if not isinstance(target, ast.Subscript) or isinstance(node.value, ast.Constant):
        return False
    kept, key = ast.dump(target.value), ast.dump(target.slice)
    if any(ast.dump(each) == kept for each in ast.walk(node.value) if isinstance(each, ast.expr)):
        return False
    return any(_asks(each, kept, key) for each in ast.walk(function))


def _asks(node: ast.AST, kept: str, key: str) -> bool:
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        return ast.dump(node.left) == key and ast.dump(node.comparators[0]) == kept
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
        return ast.dump(node.args[0]) == key and ast.dump(node.func.value) == kept
    return False
