"""Looks at frame sets beside the environments: the encoder works on earlier ones while the next are simulated."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from robo_reward.clip import Clip
from robo_reward.episode_rows import join_rows
from robo_reward.perception.encoder import EmbeddedClip

_TOGETHER = 64
"""Pictures that are handed over at a time: whole batches of every encoder."""
_AHEAD = 4
"""Hand-overs that may wait; whoever brings more waits too, so that memory is bounded."""


class LookingAhead:
    """Has frame sets looked at in a thread, in the order in which they come.

    An encoder gives a picture the same bits in any batch, so that nothing depends on how far the thread has come.

    Args:
        look: Turns frames into what the model sees of them.
    """

    def __init__(self, look: Callable[[Clip], Clip | EmbeddedClip]) -> None:
        self._look = look
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="looking-ahead")
        self._fresh: list[Clip] = []
        self._under_way: deque[Future[Clip | EmbeddedClip]] = deque()

    def take(self, clip: Clip) -> None:
        """Take one frame set of some rows."""
        self._fresh.append(clip)
        if sum(each.present.numel() for each in self._fresh) >= _TOGETHER:
            self._hand_over()

    def everything(self) -> Clip | EmbeddedClip:
        """Wait, and give all rows that were taken since this was asked last; there must be some."""
        if self._fresh:
            self._hand_over()
        seen = [each.result() for each in self._under_way]
        self._under_way.clear()
        return join_rows(seen)

    def _hand_over(self) -> None:
        clip, self._fresh = join_rows(self._fresh), []
        if len(self._under_way) >= _AHEAD:
            self._under_way[-_AHEAD].result()
        self._under_way.append(self._thread.submit(self._look, clip))
