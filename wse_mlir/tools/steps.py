"""What a command is doing, for people who wait."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


class Steps:
    """Shows the current step and its share on stderr; silent when that is no terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> Steps:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def step(self, text: str) -> None:
        """Begins a step of unknown length."""
        self._progress.reset(self._task, total=None, description=text)

    def share(self, share: float) -> None:
        """Says which share of the step is done."""
        self._progress.update(self._task, total=1.0, completed=share)
