"""Names in C: what is an identifier in C and C++, and how one is made of another name."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ...passes.infra.diagnostics import CompilerError

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_OF_THE_HEADER = re.compile(r"wse_\w*|\w*_t|[A-Z0-9_]*")  # types and macros
_RESERVED = frozenset(
    re.findall(
        r"\S+",
        """alignas alignof and and_eq asm auto bitand bitor bool break case catch char class co_await co_return
        co_yield compl concept const const_cast consteval constexpr constinit continue decltype default delete do
        double dynamic_cast else enum explicit export extern false float for friend goto if inline int long
        mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
        reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct
        switch template this thread_local throw true try typedef typeid typename typeof union unix linux unsigned
        using virtual void volatile wchar_t while xor xor_eq NULL EOF stdin stdout stderr errno""",
    )
)


def check_identifier(name: str, what: str) -> None:
    """Raises `CompilerError` unless `name` can be the name of something in C and in C++."""
    if (
        not _IDENTIFIER.fullmatch(name)
        or name in _RESERVED
        or name.startswith(("wse_", "WSE_"))
        or "__" in name
    ):
        raise CompilerError(
            f"'{name}' cannot be the name of {what}",
            hint="use letters, digits and single underscores, beginning with a letter and not with 'wse_', "
            "and no word of C or C++",
        )


def library_name(stem: str) -> str:
    """The name of a library from the name of its file without endings: `lib`, versions and dashes go."""
    name = re.sub(r"\W+", "_", stem.removeprefix("lib"), flags=re.ASCII)
    return re.sub("__+", "_", name).strip("_")


def unique_identifiers(names: Sequence[str], taken: Collection[str]) -> list[str]:
    """Names of parameters in C, made of names of tensors; those in `taken` are not used."""
    made: list[str] = []
    for name in names:
        base = re.sub(r"\W", "_", name, flags=re.ASCII)
        is_free = _IDENTIFIER.fullmatch(base) and base not in _RESERVED and not _OF_THE_HEADER.fullmatch(base)
        base = base if is_free else f"tensor_{base}"
        candidate, number = base, 2
        while candidate in taken or candidate in made:
            candidate, number = f"{base}_{number}", number + 1
        made.append(candidate)
    return made
