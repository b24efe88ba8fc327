"""How a study gets on, on standard error."""

from fallline.study import Silent, Watcher


def default_watcher() -> Watcher:
    """The watcher that fits standard error."""
    return Silent()
