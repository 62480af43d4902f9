from dataclasses import replace

import pytest
from test_study_result import result

from robo_reward.errors import DataSetError
from robo_reward.study.page import figures_of, panels_of, write_page
from robo_reward.study.result import read_results, write_result
from robo_reward.study.tables import claims_table

PARTS = {
    "comparison": [*(f"reach.sparse.{seed}" for seed in range(3)), *(f"reach.shaped.seen.{seed}" for seed in range(3))],
    "traps": ["reach.score.seen.0"],
}
PAGE = "# Words\n<!-- progress -->\nold\n<!-- end -->\n<!-- claims -->\n<!-- end -->\nmore\n" + "".join(
    f"<!-- {part} -->\n<!-- end -->\n" for part in PARTS
)
STEPS = [500, 1000, 1500, 2000]


def write(folder, reward, model, curves):
    for seed, curve in enumerate(curves):
        name = f"reach.{reward}.{'' if model is None else model + '.'}{seed}"
        told = {"steps": STEPS, "success": curve, "returns": curve, "lengths": curve, "cpu_seconds": 90.0}
        more = {"fit_cpu_seconds": 0.0 if model is None else 1800.0}
        write_result(result(name=name, reward=reward, model=model, seed=seed, **told, **more), folder)


@pytest.fixture
def written(tmp_path):
    write(tmp_path / "results", "sparse", None, [[0.0, 0.0, 0.0, 0.1]] * 3)
    write(tmp_path / "results", "shaped", "seen", [[0.0, 0.9, 1.0, 1.0], [0.1, 0.8, 1.0, 1.0], [0.0, 1.0, 1.0, 1.0]])
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    write_page(read_results(tmp_path / "results"), parts=PARTS, page=page, images=tmp_path / "images")
    return page


def test_a_page_is_made_of_results_alone_and_equals_what_is_computed_by_hand(written):
    assert written.read_text() == (
        "# Words\n<!-- progress -->\n"
        # six runs of 90 s, and one fit of half an hour that three of them share
        "6 of 7 runs are done (comparison 6 of 6, traps 0 of 1), in 0.1 CPU hours of learning and 0.5 of recording and "
        "fitting.\n<!-- end -->\n<!-- claims -->\n"
        "| task | reward | at most half the steps | intervals apart | ends lower | holds |\n|---|---|---|---|---|---|\n"
        "| reach | shaped, seen | yes | yes | no | yes |\n<!-- end -->\nmore\n<!-- comparison -->\n"
        "![Success over environment steps, comparison](images/comparison.png)\n\n"
        "| task | reward | runs | steps to 80 % | success at the end | CPU minutes a run |\n|---|---|---|---|---|---|\n"
        "| reach | sparse | 3 | > 2000 [> 2000, > 2000] | 3% [3%, 3%] | 1.5 |\n"
        "| reach | shaped, seen | 3 | 1000 [1000, 1000] | 97% [93%, 100%] | 1.5 |\n<!-- end -->\n<!-- traps -->\n"
        "No run of this part is done yet.\n<!-- end -->\n"
    )
    assert (written.parent / "images" / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_results_give_the_same_page_and_the_same_plot(written, tmp_path):
    before = written.read_bytes(), (tmp_path / "images" / "comparison.png").read_bytes()
    write_page(read_results(tmp_path / "results"), parts=PARTS, page=written, images=tmp_path / "images")
    assert (written.read_bytes(), (tmp_path / "images" / "comparison.png").read_bytes()) == before


def test_a_page_without_a_place_for_a_part_is_refused(written, tmp_path):
    written.write_text(PAGE.replace("<!-- traps -->", ""))
    with pytest.raises(DataSetError, match=r"page.md has no place for 'traps': put <!-- traps --> and <!-- end -->"):
        write_page([], parts=PARTS, page=written, images=tmp_path / "images")


def test_more_conditions_than_colours_are_drawn_model_by_model(tmp_path):
    rewards, models = ("shaped", "score", "difference"), ("seen", "told", "true")
    write(tmp_path, "sparse", None, [[0.0, 0.0, 0.0, 0.1]] * 2)
    for reward in rewards:
        for model in models:
            write(tmp_path, reward, model, [[0.0, 0.5, 1.0, 1.0]] * 2)
    results = read_results(tmp_path)
    panels, columns = panels_of(figures_of(results, [each.name for each in results]))
    assert sorted(panels) == ["reach, seen", "reach, told", "reach, true"]
    assert columns == 3
    assert all(sorted(labelled) == sorted([*rewards, "sparse"]) for labelled in panels.values())
    few, _ = panels_of(figures_of(results, [each.name for each in results if each.reward == "shaped"]))
    assert list(few) == ["reach"]


def test_a_claim_falls_with_any_variant_of_success_alone_that_is_as_fast(tmp_path):
    write(tmp_path, "sparse", None, [[0.0, 0.0, 0.0, 0.1]] * 3)
    write(tmp_path, "shaped", "seen", [[0.0, 0.9, 1.0, 1.0]] * 3)
    results = read_results(tmp_path)
    assert "| reach | shaped, seen | yes | yes | no | yes |" in claims_table(figures_of(results, names(results)))
    other = [replace(each, variant="fast", name=f"{each.name}.fast", success=(0.0, 0.9, 1.0, 1.0)) for each in results]
    results += [each for each in other if each.reward == "sparse"]
    assert "| reach | shaped, seen | no | no | no | no |" in claims_table(figures_of(results, names(results)))


def names(results):
    return [each.name for each in results]
