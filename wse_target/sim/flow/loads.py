"""Words that went over links, added up lane by lane."""

from __future__ import annotations

import numpy as np

from ..code import Placement
from ..routing import LINKS, RAMP
from .lane import Lane


class LinkSums:
    """Sums over lanes. Lanes that are the same in all rows (columns) are kept as products of a row and a column."""

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self._routers = placement.y * placement.width + placement.x
        self._grid = np.zeros((placement.height * placement.width, LINKS))
        self._products: dict[bool, tuple[list[np.ndarray], list[np.ndarray]]] = {
            True: ([], []),
            False: ([], []),
        }

    def copy(self) -> LinkSums:
        """The same sums, to be added to."""
        made = LinkSums(self._placement)
        made._grid += self._grid
        for by_row, (words, links) in self._products.items():
            made._products[by_row] = (list(words), list(links))
        return made

    def add(self, lane: Lane) -> None:
        """Adds a lane's words to all links of their trees."""
        sent = lane.sent_words + lane.skipped_words
        if not sent.any():
            return
        tree, placement = lane.tree, self._placement
        owner = tree.owners()
        gives = tree.routers.gives.ravel()
        used = np.zeros((len(gives), LINKS), bool)
        for link in range(RAMP + 1):
            used[:, link] = (gives & (1 << link) > 0) & (owner >= 0)
        used[tree.roots, LINKS - 1] = True
        words = np.zeros(placement.width * placement.height)
        words[self._routers[tree.root]] = sent
        if tree.shape == (placement.height, placement.width):
            self._grid += np.where(used, words[tree.roots][owner][:, None], 0.0)
            return
        by_row = tree.shape[0] == 1
        lines = words.reshape(placement.height, placement.width)
        for number, root in enumerate(tree.roots.tolist()):
            self._products[by_row][0].append(lines[:, root] if by_row else lines[root, :])
            self._products[by_row][1].append(
                np.where((owner == number)[:, None], used, False).astype(np.float32)
            )

    def add_words(self, words: np.ndarray) -> None:
        """Adds words by router * LINKS + link."""
        self._grid += words.reshape(self._grid.shape)

    def total(self) -> np.ndarray:
        """Words by router * LINKS + link."""
        height, width = self._placement.height, self._placement.width
        total = self._grid.reshape(height, width, LINKS).copy()
        for by_row, (words, links) in self._products.items():
            if words:
                # Sums of products over lanes: a matrix product of the lines' words with what each lane's line uses.
                along = np.stack(links).reshape(len(links), -1)
                product = (np.stack(words).T @ along).reshape(len(words[0]), -1, LINKS)
                total += product if by_row else product.transpose(1, 0, 2)
        return total.reshape(-1)
