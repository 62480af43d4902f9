"""`robo-reward study shaping`: how much shaping by what cameras see helps, and where it does not."""

import sys
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console

from robo_reward.cli.study_plan import PlannedRun, StudyPlan, plan_study
from robo_reward.cli.study_runner import StudyFolders, run_study


def study_shaping(
    *,
    output: str,
    results: str,
    page: str,
    images: str,
    report: bool,
    only: str | None,
    jobs: int,
    **plan: Any,
) -> None:
    """Make the runs that are not made yet, then the page's tables and plots from all results; or those alone.

    Args:
        output: Folder of runs and fitted models; several processes may work on it.
        results: Folder of one small JSON a finished run.
        page: Markdown file whose tables are written anew.
        images: Folder of its plots.
        report: Write tables and plots alone, from the results that are there.
        only: Part of the names of runs to make; None = all.
        jobs: Processes.
        plan: What `plan_study` takes.

    Raises:
        ValueError: Fewer than one process, no such run, or a plan that contradicts itself.
        OutputError: A result was made with other settings, or something cannot be written.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be >= 1, got {jobs}")
    planned = plan_study(**plan)
    folders = StudyFolders(output=Path(output), results=Path(results))
    if not report:
        _make(_chosen(planned, only), folders, jobs)
    _report(planned, folders, page=Path(page), images=Path(images))


def _chosen(plan: StudyPlan, only: str | None) -> list[PlannedRun]:
    runs = plan.runs()
    chosen = [run for run in runs if only is None or only in run.name]
    if not chosen:
        raise ValueError(f"no run has '{only}' in its name; there are {', '.join(run.name for run in runs)}")
    return chosen


def _make(runs: Sequence[PlannedRun], folders: StudyFolders, jobs: int) -> None:
    """Make runs in this process, or in several, which share them by their locks."""
    if jobs == 1:
        _work(runs, folders)
        return
    context = get_context("spawn")  # a forked process would share torch's threads and the renderer's context
    workers = [context.Process(target=_worker, args=(runs, folders)) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    try:
        for worker in workers:
            worker.join()
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()
    failed = sum(worker.exitcode != 0 for worker in workers)
    if failed:
        raise ValueError(f"{failed} of {jobs} processes ended with an error, see above")


def _worker(runs: Sequence[PlannedRun], folders: StudyFolders) -> None:
    try:
        _work(runs, folders)
    except KeyboardInterrupt:  # Ctrl-C goes to every process; the first one says what there is to say
        sys.exit(130)


def _work(runs: Sequence[PlannedRun], folders: StudyFolders) -> None:
    console = Console(stderr=True, soft_wrap=True)
    run_study(runs, folders, told=lambda text: console.print(text, markup=False, highlight=False))


def _report(plan: StudyPlan, folders: StudyFolders, *, page: Path, images: Path) -> None:
    # SciPy and Matplotlib take seconds to import, and only whoever reports needs them
    from robo_reward.study.page import write_page  # noqa: PLC0415
    from robo_reward.study.result import read_results  # noqa: PLC0415

    parts: Mapping[str, Sequence[str]] = {part.name: [run.name for run in part.runs] for part in plan.parts}
    write_page(read_results(folders.results), parts=parts, page=page, images=images)
    Console(stderr=True, soft_wrap=True).print(f"tables in {page}, plots in {images}", markup=False)
