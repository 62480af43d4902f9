"""`robo-reward calibrate board`: a board as a PDF at true scale."""

from pathlib import Path

from rich.console import Console

from robo_reward.calibration.board_file import write_board
from robo_reward.calibration.board_pdf import board_pdf
from robo_reward.calibration.boards import Board
from robo_reward.durable import check_absent


def calibrate_board(*, board: Board, paper: str, output: str) -> None:
    """Write `output` (a PDF) and, with the same name, the board's YAML.

    Raises:
        ValueError: An unknown paper, a board that does not fit, or an output that is no PDF.
        OutputError: One of the files exists.
    """
    pdf = Path(output)
    if pdf.suffix.lower() != ".pdf":
        raise ValueError(f"output must be a .pdf, got {output}")
    file = pdf.with_suffix(".yaml")
    check_absent(pdf)
    check_absent(file)
    board_pdf(board, pdf, paper=paper)
    write_board(board, file, measured="nominal: not yet measured on the print")
    Console(stderr=True, soft_wrap=True).print(
        f"drew {pdf}; print it at 100 %, check that the ruler is 100 mm long, glue it onto something flat, and put the "
        f"square as measured into {file}",
        markup=False,
    )
