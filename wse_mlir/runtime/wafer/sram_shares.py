"""How much of a PE's memory a plan may fill with data: less, when what is emitted for it turns out not to fit.

Text that takes most of the memory itself is asked to be brief, too, and so are collectives that need too many colours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...passes.wafer.memory.wse_plan_memory import DoesNotFit
from ...passes.wafer.route.wse_route import TooManyColours

FIRST_SHARE = 90
_MOST_PLANS = 4  # that are made
_SHORTER = (3, 10)  # what part of a text a briefer one may spare, the first time and the second
_DEAR_CALLS = 0.1  # of a plan's cycles: calls of shared text that take more are held against a briefer plan's
_HOPELESS = 2  # times what a PE has: no plan's text is that much shorter than another's


@dataclass
class Shares:
    """Per cent of the SRAM, one plan after the other.

    Attributes:
        next: what to plan with; None when nothing is left to try.
        brief: how scarce program text, or colours, are: see `wse-emit-programs`.
    """

    next: int | None = FIRST_SHARE
    brief: int = 0
    _plans: int = 0
    _too_large: int = FIRST_SHARE  # the least share whose program did not fit
    _too_small: int = 0  # the largest share for which there was no plan
    _least_text: float = math.inf  # bytes, of all programs so far

    def note(self, reason: BaseException | None) -> None:
        """A plan with the share `next` failed.

        Where text or colours are scarce, the same share is planned briefly, if that may be enough. Programs that do not
        fit say how much room their text leaves for data; where no plan does with that little, the next one is between
        the two.
        """
        share, self.next = self.next, None
        assert share is not None, "there was a plan"
        self._plans += 1
        if isinstance(reason, DoesNotFit) and reason.text > _HOPELESS * reason.available:
            return
        is_wordy = isinstance(reason, DoesNotFit) and 2 * reason.text > reason.available
        if isinstance(reason, DoesNotFit):
            self._least_text = min(self._least_text, reason.text)
        if self._may_do_briefly(reason, is_wordy=is_wordy):
            self.brief, self.next = self.brief + 1, share if self._plans < _MOST_PLANS else None
            return
        if isinstance(reason, DoesNotFit):
            self.brief = max(self.brief, int(is_wordy))
            found = self._left_by(reason, share)
        elif isinstance(reason, TooManyColours) or self._plans == 1:
            return
        else:
            self._too_small = share
            found = (share + self._too_large) // 2
        if self._plans < _MOST_PLANS and self._too_small < found < self._too_large:
            self.next = found

    def note_calls(self, cycles: float, planned: float) -> None:
        """A plan fits whose calls of shared text take so many cycles: a briefer one may do without most of them."""
        share, self.next = self.next, None
        self._plans += 1
        if not self.brief and cycles > _DEAR_CALLS * planned and self._plans < _MOST_PLANS:
            self.brief, self.next = 1, share

    def _may_do_briefly(self, reason: BaseException | None, *, is_wordy: bool) -> bool:
        """Whether the same share may do with briefer text, such as another plan's was."""
        if isinstance(reason, TooManyColours):
            return not self.brief
        if not isinstance(reason, DoesNotFit) or not is_wordy or self.brief == len(_SHORTER):
            return False
        spared = max(reason.text // _SHORTER[self.brief], reason.text - self._least_text)
        return reason.needed - spared <= reason.available

    def _left_by(self, reason: DoesNotFit, share: int) -> int:
        """The share that the text of a program leaves, which did not fit with another one."""
        self._too_large = share
        excess = max(reason.needed - reason.available, 0)
        room = min(reason.available - reason.text, share * reason.available // 100 - excess)
        found = min(100 * room // reason.available, share - 1)
        return found if found > self._too_small else (share + self._too_small) // 2
