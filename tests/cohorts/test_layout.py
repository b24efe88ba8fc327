"""Where parameters lie."""

import torch

from fallline.cohorts.layout import LARGE, Layout


def test_small_parameters_of_a_kind_share_a_bucket_and_large_ones_lie_alone() -> None:
    parameters = {
        "a": torch.arange(6.0).view(2, 3),
        "large": torch.ones(LARGE),
        "b": torch.arange(4.0),
        "other": torch.zeros(5),
        "double": torch.zeros(2, dtype=torch.float64),
    }
    kinds = dict.fromkeys(parameters, "one") | {"other": "two"}
    layout = Layout(parameters, kinds)
    assert [layout.names(bucket) for bucket in range(4)] == [["a", "b"], ["large"], ["other"], ["double"]]
    assert layout.sizes == [10, LARGE, 5, 2]
    buckets = layout.flat({name: x.expand(7, *x.shape) for name, x in parameters.items()})
    views = layout.views(buckets)
    assert all(torch.equal(views[name][3], x) for name, x in parameters.items())
    assert views["b"].data_ptr() == buckets[0][:, 6:].data_ptr()
