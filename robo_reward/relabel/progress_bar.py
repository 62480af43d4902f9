"""A progress bar with frames per second and the time left, silent where nobody watches."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


class FrameProgress:
    """Counts frame sets on standard error.

    Args:
        doing: What is done to them.
        total: All frame sets.
        finished: Those that an earlier run had done.
    """

    def __init__(self, doing: str, total: int, *, finished: int) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TextColumn("frames"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(doing, total=total, completed=finished, rate="")

    def advance(self, num_frames: int) -> None:
        """Count more frame sets."""
        speed = self._progress.tasks[0].speed
        self._progress.update(self._task, advance=num_frames, rate=f"{speed:.0f}/s" if speed else "")

    def __enter__(self) -> "FrameProgress":
        """Show the bar."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it stands."""
        self._progress.stop()
