"""docs/conformance.md: what the suites say, counted."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from .rules import NODE_RULE, RULES
from .verdicts import Verdict, first_line

DOCUMENT = Path(__file__).parents[2] / "docs" / "conformance.md"
WORDS = ("match", "refused", "wrong", "crash")
_OPEN, _CLOSE = "<!-- {} -->", "<!-- end -->"
_WORST = ("crash", "wrong", "refused", "match")
# The first that is found in a message; all others are counted by their text.
_REASONS = (
    (r"(float8|float4|u?int4|u?int2)\w*\b", "elements of fewer than 8 bits, or floats of 8"),
    (r"dtype object|strings|!torch.str", "strings"),
    (r"complex", "complex numbers"),
    (r"quantized|sparse|nested|jagged", "sparse, nested or quantised tensors"),
    (r"uint(16|32|64)|unsigned integers of 64", "wide unsigned integers"),
    (r"draws? random|random numbers", "random numbers"),
    (
        r"DataDependent|data-dependent|depends? on the values|decide a shape|[uU]nbacked|GuardOn",
        "sizes or branches that depend on values",
    ),
    (r"does more than compute", "operators that check values or have other effects"),
    (r"PyTorch could not export", "PyTorch itself cannot export it"),
    (r"PyTorch could not decompose", "PyTorch itself cannot decompose it"),
    (r"no lowering to linalg|the ONNX operator '\w+' is not supported$", "operators without a lowering"),
    (
        r"the ONNX operator '\w+' is not supported with",
        "ONNX operators with attributes or types that have no lowering",
    ),
    (r"cannot be read", "ONNX models that the `onnx` package does not take"),
    (r"does not fit the SRAM", "too large for the machine's memory"),
    (r"scalar that is computed outside", "elements read from outside of an operation, which PEs do not"),
)


def reason(message: str) -> str:
    """The kind of a refusal, from its message."""
    text = first_line(message)
    for pattern, name in _REASONS:
        if re.search(pattern, text):
            return name
    text = text.rpartition("): ")[2].rpartition(" failed: ")[2]
    return re.sub(r"'[^']*'", "'...'", re.sub(r"\d+", "N", text))[:100]


def update(suite: str, target: str, verdicts: Sequence[Verdict]) -> None:
    """Writes the part of the document on one suite and target anew, and the table of rules."""
    text = DOCUMENT.read_text()
    text = _replaced(text, f"{suite} {target}", _section(suite, verdicts))
    DOCUMENT.write_text(_replaced(text, "rules", _rules_table()))


def _replaced(text: str, name: str, body: str) -> str:
    start = text.index(_OPEN.format(name)) + len(_OPEN.format(name))
    return f"{text[:start]}\n{body}\n{text[text.index(_CLOSE, start) :]}"


def _section(suite: str, verdicts: Sequence[Verdict]) -> str:
    parts = [_by_type(verdicts)] if suite == "torch" else [_totals({"node tests": verdicts})]
    refused = Counter(reason(v.detail) for v in verdicts if v.word == "refused")
    if refused:
        parts.append(
            _table(("refused because of", "samples"), [(n, str(c)) for n, c in refused.most_common()])
        )
    never = _never(verdicts) if suite == "torch" else []
    if never:
        parts.append(f"Operators that are refused with every type: {', '.join(f'`{n}`' for n in never)}.")
    used = Counter(v.detail for v in verdicts if v.word == "match" and v.detail)
    if used:
        parts.append(_table(("rule applied", "samples"), [(n, str(c)) for n, c in used.most_common()]))
    bad = [
        f"* `{v.case}` `{v.sample}` {v.word}: {first_line(v.detail)}" for v in verdicts if v.word in WORDS[2:]
    ]
    parts.append("\n".join(sorted(bad)) if bad else "Nothing is wrong, nothing crashed.")
    return "\n\n".join(parts)


def _never(verdicts: Iterable[Verdict]) -> list[str]:
    """Operators of which no sample was computed."""
    computed: dict[str, bool] = defaultdict(bool)
    for verdict in verdicts:
        computed[verdict.case] |= verdict.word != "refused"
    return sorted(case for case, any_sample in computed.items() if not any_sample)


def _by_type(verdicts: Iterable[Verdict]) -> str:
    types: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        types[verdict.sample.partition("#")[0]].append(verdict)
    return _totals({name: types[name] for name in sorted(types)})


def _totals(groups: dict[str, Sequence[Verdict]]) -> str:
    """Operators by the worst that became of one of their samples; samples."""
    rows = []
    everything = (
        {**groups, "**all**": [v for group in groups.values() for v in group]} if len(groups) > 1 else groups
    )
    for name, verdicts in everything.items():
        worst: dict[tuple[str, str], int] = {}
        for v in verdicts:
            case = v.case, v.sample.partition("#")[0]
            worst[case] = min(worst.get(case, len(_WORST)), _WORST.index(v.word))
        cases = Counter(_WORST[w] for w in worst.values())
        samples = Counter(v.word for v in verdicts)
        rows.append((name, *(str(cases[w]) for w in WORDS), *(str(samples[w]) for w in WORDS)))
    return _table(("", *(f"{w}" for w in WORDS), *(f"samples: {w}" for w in WORDS)), rows)


def _rules_table() -> str:
    rows = []
    for rule in (*RULES, NODE_RULE):
        operators = ", ".join(f"`{n}`" for n in sorted(rule.operators)) or "all"
        rows.append((rule.name, operators, rule.compared, rule.reason))
    return _table(("rule", "operators, tests", "compared", "because"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def read_verdicts(paths: Sequence[Path], suite: str) -> list[Verdict]:
    """Those of a suite that runs appended to files; of one sample's verdicts the last."""
    found: dict[tuple[str, str], Verdict] = {}
    for path in paths:
        for line in path.read_text().splitlines():
            verdict = Verdict(**json.loads(line))
            if verdict.suite == suite:
                found[verdict.case, verdict.sample] = verdict
    return list(found.values())
