"""What was refused when the tables were last made, so that what matched then is known to have matched.

A line of `recorded/SUITE-TARGET.txt` is an operator and, for each type with refusals, the numbers of the refused
samples, or `*` for all of them: `addmv int64:0,3 uint8:*`. A node test that is refused is a line of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from .verdicts import Verdict

FOLDER = Path(__file__).parent / "recorded"


class Recorded:
    """The refusals of one suite on one target."""

    def __init__(self, refused: dict[str, dict[str, frozenset[str]]]) -> None:
        """
        Args:
            refused: samples' numbers ("*" for all) by case and type.
        """
        self._refused = refused

    def is_refused(self, case: str, sample: str) -> bool:
        """Whether that sample was refused, or is one of a case and type that were refused as a whole."""
        dtype, _, number = sample.partition("#")
        samples = self._refused.get(case, {}).get(dtype if number else "", frozenset())
        return "*" in samples or (number or sample) in samples

    @classmethod
    def read(cls, suite: str, target: str) -> Recorded:
        """The recording; without refusals where there is none."""
        path = FOLDER / f"{suite}-{target}.txt"
        refused: dict[str, dict[str, frozenset[str]]] = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            case, *types = line.split()
            parts = [t.partition(":") for t in types] or [("", ":", "*")]
            refused[case] = {dtype: frozenset(numbers.split(",")) for dtype, _, numbers in parts}
        return cls(refused)


def write(suite: str, target: str, verdicts: Sequence[Verdict]) -> None:
    """Records what is refused."""
    FOLDER.mkdir(exist_ok=True)
    cases: dict[str, dict[str, list[Verdict]]] = defaultdict(lambda: defaultdict(list))
    for verdict in verdicts:
        dtype, _, number = verdict.sample.partition("#")
        cases[verdict.case][dtype if number else ""].append(verdict)
    lines = []
    for case, types in sorted(cases.items()):
        parts = [part for dtype, judged in sorted(types.items()) if (part := _part(dtype, judged))]
        if parts:
            lines.append(" ".join([case, *(p for p in parts if p != ":*")]))
    (FOLDER / f"{suite}-{target}.txt").write_text("".join(f"{line}\n" for line in lines))


def _part(dtype: str, judged: Sequence[Verdict]) -> str:
    refused = [v for v in judged if v.word == "refused"]
    if not refused:
        return ""
    if len(refused) == len(judged):
        return f"{dtype}:*"
    numbers = sorted({v.sample.partition("#")[2] or v.sample for v in refused})
    return f"{dtype}:{','.join(numbers)}"


def regressions(recorded: Recorded, verdicts: Iterable[Verdict]) -> list[Verdict]:
    """What is refused now and was not."""
    return [v for v in verdicts if v.word == "refused" and not recorded.is_refused(v.case, v.sample)]
