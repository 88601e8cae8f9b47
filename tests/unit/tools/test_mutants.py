"""What the mutation tester changes, and what it leaves alone."""

from __future__ import annotations

import ast

import pytest

from tools import mutants

SOURCE = '''"""A docstring."""
from __future__ import annotations

BLOCK_BYTES = 7
Kind = Literal["left alone"]
Some = TypeVar("Some")
if TYPE_CHECKING:
    left_alone = 7
__all__ = ["least"]


def least(left: int | None, right: int = 2, *, why: str = "") -> int:
    """Not changed."""
    if left is None and not right:
        raise ValueError("the words of an error")
    found = [one + 1 for one in (left, right) if one != 3]
    found.append(len(found) * 2)
    left += 1
    if left < 0:
        return False
    print(f"told {left}", end="!", prefix="a name")
    return min(found) if found else -1
'''


def changes(source: str) -> set[tuple[str, str, str]]:
    return {(one.kind, one.before, one.after) for one in mutants.mutants_of("x.py", source)}


def test_every_kind_of_change_is_made_and_words_are_left_alone() -> None:
    found = changes(SOURCE)
    assert found >= {
        ("comparison", "left is None", "left is not None"),
        ("comparison", "one != 3", "one == 3"),
        ("boolean", "left is None and (not right)", "left is None or not right"),
        ("boolean", "not right", "right"),
        ("arithmetic", "one + 1", "one - 1"),
        ("arithmetic", "len(found) * 2", "len(found) // 2"),
        ("arithmetic", "left += 1", "left -= 1"),
        ("constant", "3", "4"),
        ("constant", "'!'", "'!~'"),
        ("condition", "for one in (left, right) if one != 3", "for one in (left, right)"),
        ("condition", "min(found) if found else -1", "min(found) if not found else -1"),
        ("deletion", "left += 1", "pass"),
        ("deletion", "found.append(len(found) * 2)", "pass"),
        ("deletion", "raise ValueError('the words of an error')", "pass"),
        ("return", "return min(found) if found else -1", "return None"),
    }
    told = " ".join(before for _, before, _ in found)
    assert not any(
        word in told.replace("raise ValueError('the words", "") for word in ("docstring", "Not changed", "7")
    )
    assert ("constant", "False", "True") in found
    assert ("return", "return False", "return None") not in found
    assert not any(
        before
        in ("'left alone'", "'Some'", "TYPE_CHECKING", "int | None", "'the words of an error'", "'a name'", "'least'")
        for _, before, _ in found
    )


def test_each_mutant_is_a_program_that_differs_in_one_place() -> None:
    plain = ast.unparse(ast.parse(SOURCE)).splitlines()
    every = list(mutants.mutants_of("x.py", SOURCE))
    assert [one.number for one in every] == list(range(len(every)))
    for one in every:
        changed = mutants.mutated(SOURCE, one.number)
        compile(changed, "x.py", "exec")
        lines = changed.splitlines()
        assert lines != plain
        assert len(lines) != len(plain) or sum(a != b for a, b in zip(lines, plain, strict=True)) == 1
    with pytest.raises(ValueError, match="no mutant"):
        mutants.mutated(SOURCE, len(every))


def test_a_mutant_knows_its_place_its_statement_and_whether_a_function_holds_it() -> None:
    source = (
        "LIMIT = 7\n\n\nclass Counter:\n    first: int = 3\n\n    def add(self, some, more=1):\n"
        "        if (\n            some > 0\n        ):\n"
        "            return [\n                some + more\n            ]\n"
        "        def inner():\n            return 5\n        return inner\n"
    )
    found = {one.before: (one.place, one.lines, one.in_function) for one in mutants.mutants_of("x.py", source)}
    assert found["7"] == ("", (1, 1), False)
    assert found["3"] == ("Counter", (5, 5), False)
    assert found["1"] == ("Counter", (7, 7), False)  # the default is made once, when the class is
    assert found["some > 0"] == ("Counter.add", (8, 10), True)
    assert found["some + more"] == ("Counter.add", (11, 13), True)
    assert found["5"] == ("Counter.add.inner", (15, 15), True)


def test_functions_of_the_compiled_mutant_begin_where_they_did() -> None:
    def firsts(code: object) -> list[tuple[str, int]]:
        inner = [one for one in getattr(code, "co_consts", ()) if hasattr(one, "co_qualname")]
        return [(one.co_qualname, one.co_firstlineno) for one in inner] + [two for one in inner for two in firsts(one)]

    plain = firsts(compile(SOURCE, "x.py", "exec"))
    for one in mutants.mutants_of("x.py", SOURCE):
        assert firsts(mutants.mutated_code(SOURCE, one.number, "x.py")) == plain
