"""Threads of an untimed execution, and the bound on its work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

IDLE, ISSUED, SENDING, RECEIVING, RELAYING = range(5)
GROUP = 1000


class Impossible(Exception):
    """A transfer that no engine would carry out; says why, and which agent's it is."""

    def __init__(self, reason: str, agent: int) -> None:
        super().__init__(reason)
        self.agent = agent


class TooMuchWork(Exception):
    """The bound on work is exceeded."""


@dataclass
class Budget:
    """Operations of single PEs that may still be looked at; a group of PEs counts as `GROUP` at least."""

    left: int

    def spend(self, amount: int) -> None:
        """A group of so many PEs is looked at."""
        self.left -= GROUP + amount
        if self.left < 0:
            raise TooMuchWork


@dataclass
class Agents:
    """What runs: agent = thread * PEs + PE.

    Attributes:
        pc: operation of each agent; a microthread's is its transfer's.
        stage: IDLE, or what the agent does with its transfer.
        elements: of the transfer.
        port / stream: that the transfer uses, -1 where none.
        in_start, in_end, out_start, out_end: its words on them; `in_end` is -1 while its message is unknown.
    """

    pc: np.ndarray
    stage: np.ndarray
    elements: np.ndarray
    port: np.ndarray
    stream: np.ndarray
    in_start: np.ndarray
    in_end: np.ndarray
    out_start: np.ndarray
    out_end: np.ndarray

    @staticmethod
    def make(count: int) -> Agents:
        """All at rest."""
        zeros = [np.zeros(count, np.int64) for _ in range(9)]
        made = Agents(*zeros)
        made.port -= 1
        made.stream -= 1
        return made
