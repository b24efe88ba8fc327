"""Which seeds belong to which part of a study."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Seeds:
    """How many runs every setting has in a search, how many the values that were chosen have after it (0 in a sweep,
    which has no reruns), and how often all of this is repeated.

    Seeds count through the whole study, so that no rerun has the weights and orders of a run that chose:

    >>> seeds = Seeds(search=3, final=10, repeats=2)
    >>> seeds.of_search(0), seeds.of_reruns(0), seeds.of_search(1), seeds.of_reruns(1)
    (range(0, 3), range(3, 13), range(13, 16), range(16, 26))
    """

    search: int = 3
    final: int = 10
    repeats: int = 1

    def of_search(self, repeat: int) -> range:
        """The seeds of the search of a repeat, counted from 0."""
        first = repeat * (self.search + self.final)
        return range(first, first + self.search)

    def of_reruns(self, repeat: int) -> range:
        """The seeds of the reruns of a repeat."""
        first = self.of_search(repeat).stop
        return range(first, first + self.final)

    def repeat_of(self, seed: int) -> int:
        """The repeat that a seed belongs to.

        >>> Seeds(3, 10, 2).repeat_of(12), Seeds(3, 10, 2).repeat_of(13)
        (0, 1)
        """
        return seed // (self.search + self.final)
