"""The form's content on its way to the disk."""

from collections.abc import Callable
from threading import Lock

from comfytui.drafts import Texts


class Draft:
    """The newest content, until `keep` has it; `keep` may be slow, and is called in whatever thread writes."""

    def __init__(self, keep: Callable[[Texts], None], texts: Texts) -> None:
        self._keep = keep
        self._texts = self._kept = texts
        self._lock = Lock()

    @property
    def texts(self) -> Texts:
        """What stands there now."""
        return self._texts

    def change(self, texts: Texts) -> bool:
        """Take what stands there now; whether there is something to write."""
        self._texts = texts
        return texts != self._kept

    def write(self) -> None:
        """Write what is not kept yet; two threads that come at once do not overtake each other."""
        with self._lock:
            texts = self._texts
            if texts != self._kept:
                self._keep(texts)
                self._kept = texts
