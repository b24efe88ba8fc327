"""Tensors as a kernel wants them: contiguous, flattened where it takes any number of elements."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """The order of a parameter's axes in memory, in which all that has its shape is handed to a kernel."""

    axes: tuple[int, ...] | None
    flat: bool

    def lend(self, x: Tensor) -> Tensor:
        """x with this layout: a view, or a copy where x lies otherwise in memory."""
        ordered = (x if self.axes is None else x.permute(self.axes)).contiguous()
        return ordered.view(-1) if self.flat else ordered

    def shaped(self, lent: Tensor, x: Tensor) -> Tensor:
        """What has this layout, in the shape of x."""
        if self.axes is None:
            return lent.view(x.shape)
        ordered = lent.view([x.shape[axis] for axis in self.axes])
        return ordered.permute([self.axes.index(axis) for axis in range(x.dim())])


_CONTIGUOUS = {flat: Layout(None, flat) for flat in (False, True)}


def layout_of(p: Tensor, flat: bool) -> Layout:
    """The layout of a parameter; one that is not flattened is copied where it is not contiguous."""
    if not flat or p.is_contiguous():
        return _CONTIGUOUS[flat]
    return Layout(tuple(sorted(range(p.dim()), key=p.stride, reverse=True)), flat)
