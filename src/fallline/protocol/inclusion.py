"""Inclusion: who becomes another at some of its values, and does worse all the same, was not tuned enough."""

from collections.abc import Collection, Iterable, Mapping


def under_tuned(includes: Mapping[str, Collection[str]], better: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs of one that is shown to be better and one that includes it.

    A search wide enough would have found the better one among the other's values (Choi et al., 2019,
    arXiv:1910.05446).

    >>> under_tuned({"momentum": {"sgd"}}, [("sgd", "momentum"), ("adam", "sgd")])
    [('sgd', 'momentum')]
    """
    return [(special, general) for special, general in better if special in includes.get(general, ())]
