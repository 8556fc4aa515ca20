"""The form's content on its way to the disk."""

from collections.abc import Callable
from threading import Lock, Thread

from comfytui.drafts import Texts


class Draft:
    """The newest content, until `keep` has it; `keep` may be slow, and says whether it could."""

    def __init__(self, keep: Callable[[Texts], bool]) -> None:
        self._keep = keep
        self._texts: Texts = {}
        self._kept: Texts = {}
        self._lock = Lock()

    def begin(self, texts: Texts) -> None:
        """Take what stands there before anybody typed: nothing to write."""
        self._texts = self._kept = texts

    def change(self, texts: Texts) -> bool:
        """Take what stands there now; whether there is something to write."""
        self._texts = texts
        return texts != self._kept

    def write(self) -> None:
        """Write what is not kept yet; two threads that come at once do not overtake each other."""
        with self._lock:
            texts = self._texts
            if texts != self._kept and self._keep(texts):
                self._kept = texts

    def start_writing(self) -> Thread:
        """Write in a thread of its own; a daemon, since a disk that hangs must not keep a process that wants to end."""
        thread = Thread(target=self.write, name="comfytui draft", daemon=True)
        thread.start()
        return thread
