"""Changes to a source in one place at a time: what mutation testing puts in to see whether a test notices."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from types import CodeType

#: Numbers that decide how fast or how large, never what: no test may depend on them.
TUNING = frozenset(
    {
        "AT_ONCE", "ATTEMPTS", "BLOCK_BYTES", "BYTES_AT_ONCE", "CHECK_EVERY", "EVERY_S", "FIRST_AT_ONCE",
        "MEMORY_LIMIT_BYTES", "MOST_AT_ONCE", "SHAPES", "_BATCH", "_DEPTH", "_GROUPS", "_KEPT_ITEMS", "_LONGEST_LINE",
        "_PACKED_BYTES", "_SETTLED_DEPTH", "_WORTH", "_WORTH_A_PROCESS_BYTES", "_WORTH_A_PROCESS_ROWS",
    }
)  # fmt: skip
#: Arguments that are texts for people, or where a file lies.
WORDS = frozenset({"what", "why", "fix", "changed", "prefix", "weakness"})

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitOr, ast.Pow: ast.Mult,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the `number`-th of the file."""

    path: str
    number: int
    line: int
    kind: str
    before: str
    after: str
    #: The function or class around it, dotted; empty at the level of the module.
    place: str
    #: First and last line of the statement, of a compound one without its body: where no test is, nothing shows.
    lines: tuple[int, int]
    #: Whether it is in the body of a function: code that a loaded module can be given.
    in_function: bool


@dataclass(frozen=True, slots=True)
class _Spot:
    node: ast.AST
    place: str
    lines: tuple[int, int]
    in_function: bool


class _Spots(ast.NodeVisitor):
    """Every node that may be changed: no docstrings, types, imports, decorators, or words for people."""

    def __init__(self) -> None:
        self.found: list[_Spot] = []
        self._place: list[str] = []
        self._lines = (0, 0)
        self._in_function = False

    def generic_visit(self, node: ast.AST) -> None:
        before = self._lines
        if isinstance(node, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            self._lines = _lines_of(node)
        self.found.append(_Spot(node, ".".join(self._place), self._lines, self._in_function))
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            with_body = name == "body" and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            self._visit_all(value, node if with_body else None)
        self._lines = before

    def _visit_all(self, value: object, inside: ast.AST | None) -> None:
        was = self._in_function
        if isinstance(inside, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self._place.append(inside.name)
            self._in_function = was or not isinstance(inside, ast.ClassDef)
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_docstring(child):
                self.visit(child)
        if inside is not None:
            self._place.pop()
            self._in_function = was

    def visit_Import(self, node: ast.Import) -> None:
        """Left alone."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Left alone."""

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if _name(node.value) != "Literal":
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if _name(node.func) != "TypeVar":
            self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if _name(node.test) != "TYPE_CHECKING":
            self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """A text for people."""

    def visit_Raise(self, node: ast.Raise) -> None:
        """The error may be left out; its words are not changed."""
        self.found.append(_Spot(node, ".".join(self._place), _lines_of(node), self._in_function))

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg not in WORDS:
            self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if not any(isinstance(target, ast.Name) and target.id in TUNING | {"__all__"} for target in node.targets):
            self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.generic_visit(node)


def _lines_of(node: ast.stmt | ast.ExceptHandler | ast.match_case) -> tuple[int, int]:
    body = getattr(node, "body", None)
    first = int(getattr(node, "lineno", 0) or getattr(getattr(node, "pattern", None), "lineno", 0))
    if isinstance(body, list):
        return first, max(first, body[0].lineno - 1)
    return first, int(getattr(node, "end_lineno", 0) or first)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _spots(tree: ast.Module) -> list[_Spot]:
    visitor = _Spots()
    visitor.visit(tree)
    return visitor.found


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Kind of change and changed node, for every change of a node."""
    if isinstance(node, ast.Compare):
        for at, operator in enumerate(node.ops):
            changed = deepcopy(node)
            changed.ops[at] = _COMPARE[type(operator)]()
            yield "comparison", changed
    elif isinstance(node, (ast.BinOp, ast.AugAssign)):
        if type(node.op) in _ARITHMETIC:
            other = deepcopy(node)
            other.op = _ARITHMETIC[type(node.op)]()
            yield "arithmetic", other
    elif isinstance(node, ast.BoolOp):
        joined = deepcopy(node)
        joined.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "boolean", joined
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "boolean", node.operand
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    yield from _flow(node)


def _constants(node: ast.Constant) -> Iterator[tuple[str, ast.AST]]:
    value = node.value
    if isinstance(value, bool):
        yield "constant", ast.Constant(not value)
    elif isinstance(value, int):
        yield "constant", ast.Constant(value + 1)
    elif isinstance(value, str) and value:
        yield "constant", ast.Constant(value + "~")
    elif isinstance(value, bytes) and value:
        yield "constant", ast.Constant(value + b"~")


def _flow(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, (ast.If, ast.While, ast.IfExp)):
        turned = deepcopy(node)
        turned.test = ast.UnaryOp(ast.Not(), node.test)
        yield "condition", turned
    elif isinstance(node, ast.comprehension) and node.ifs:
        open_ = deepcopy(node)
        open_.ifs = []
        yield "condition", open_
    elif isinstance(node, ast.Return) and node.value is not None:
        # None for False is hardly a change; True for it is another mutant.
        if not (isinstance(node.value, ast.Constant) and node.value.value in (None, False)):
            yield "return", ast.Return(ast.Constant(None))
    elif isinstance(node, (ast.AugAssign, ast.Raise, ast.Continue, ast.Break)) or _acts(node):
        yield "deletion", ast.Pass()


def _acts(node: ast.AST) -> bool:
    """A statement that is there for what it does: a call, or a member or element that is set."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, (ast.Call, ast.Yield, ast.YieldFrom))
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], (ast.Attribute, ast.Subscript))


def mutants_of(path: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a file."""
    number = 0
    for spot in _spots(ast.parse(source)):
        node = spot.node
        for kind, changed in changes(node):
            line = int(getattr(node, "lineno", 0) or getattr(getattr(node, "target", None), "lineno", 0))
            yield Mutant(
                path, number, line, kind, _short(node), _short(changed), spot.place, spot.lines, spot.in_function
            )
            number += 1


def _short(node: ast.AST) -> str:
    text = ast.unparse(ast.fix_missing_locations(deepcopy(node))).strip()
    first, more, _ = text.partition("\n")
    return first + (" …" if more else "")


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        if node is not self._old:
            return self.generic_visit(node)
        if not isinstance(node, (ast.comprehension, ast.keyword)):
            ast.copy_location(self._new, node)
        return self._new


def _mutated_tree(source: str, number: int) -> ast.Module:
    tree = ast.parse(source)
    found = ((spot.node, changed) for spot in _spots(tree) for _, changed in changes(spot.node))
    for at, (node, changed) in enumerate(found):
        if at == number:
            whole = ast.fix_missing_locations(_Replace(node, changed).visit(tree))
            assert isinstance(whole, ast.Module)
            return whole
    raise ValueError(f"there is no mutant {number}")


def mutated(source: str, number: int) -> str:
    """The source with its change of that number."""
    return ast.unparse(_mutated_tree(source, number))


def mutated_code(source: str, number: int, filename: str) -> CodeType:
    """The same compiled; every function begins on the line on which it began before."""
    return compile(_mutated_tree(source, number), filename, "exec", dont_inherit=True)
