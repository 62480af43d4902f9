"""`robo-reward relabel success_from=model`, and overrides of the encoder of saved models, on a small data set."""

import json

import pyarrow.parquet as pq
import pytest
from recorded import record_red_to_green

from robo_reward.cli.configuration import compose_verb
from robo_reward.cli.main import main

PROMPTS = ["reward_model.goal=[a green cube]", "reward_model.baseline=[a red cube]", "watch_cameras=false"]
CLASSIFIER = [
    "success=classifier",
    "success.positive_from=0.8",
    "success_decision.votes=2",
    "success_decision.window=3",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def own_cache(home, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))


@pytest.fixture(scope="module")
def recorded(home):
    return record_red_to_green(home / "data", [20, 24, 18, 22])


@pytest.fixture(scope="module")
def fitted(recorded, home):
    """One folder with what tells success, one without."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        given = ["fit", "encoder=embedded", "reward_model=prompt_similarity", f"episodes.path={recorded}", *PROMPTS]
        assert main([*given, f"output={home / 'with'}", *CLASSIFIER]) == 0
        assert main([*given, f"output={home / 'without'}"]) == 0
    return {name: home / name for name in ("with", "without")}


def relabel(recorded, output, *overrides) -> int:
    return main(["relabel", f"episodes.path={recorded}", f"output={output}", *overrides])


def test_the_kept_classifier_decides_success_and_says_how_often(recorded, fitted, tmp_path, capsys):
    output = tmp_path / "out"
    assert relabel(recorded, output, f"reward_model={fitted['with']}", "success_from=model") == 0
    said = capsys.readouterr().err
    assert "success, as the success model decided: 3 of 4 episodes; the success model abstained at 0 of 84" in said
    table = pq.read_table(sorted(output.glob("data/**/*.parquet"))).to_pandas()
    assert table["reward.success_probability"].between(0, 1).all()
    assert table.groupby("episode_index")["next.success"].any().tolist() == [True, True, False, True]
    provenance = json.loads((output / "meta" / "robo_reward" / "provenance.json").read_text())
    assert provenance["success"] == "decided by the success model"
    kept = provenance["success_models"]["make it green"]
    assert kept["_target_"] == "robo_reward.models.success.SuccessClassifier"
    assert (output / "meta" / "robo_reward" / "weights" / f"{kept['weights']}.safetensors").is_file()
    assert set(provenance["success_versions"]["make it green"]) > {"version", "threshold"}


def test_an_evaluation_says_that_such_success_is_not_the_truth(recorded, fitted, tmp_path, capsys):
    output = tmp_path / "out"
    assert relabel(recorded, output, f"reward_model={fitted['with']}", "success_from=model") == 0
    capsys.readouterr()
    assert main(["evaluate", f"episodes.path={output}", "overlays=0"]) == 0
    assert "next.success is what the success model decided" in capsys.readouterr().err


def test_a_run_killed_after_the_renaming_is_known_again_though_its_certificate_lacks_the_recall(tmp_path, capsys):
    data = record_red_to_green(tmp_path / "data", [20, 24, 18])  # two successes: none to tell the recall of
    loose = ["success_decision.max_false_positive_rate=0.9", "success_decision.confidence=0.5"]
    fit = ["fit", "encoder=embedded", "reward_model=prompt_similarity", f"episodes.path={data}", *PROMPTS, *CLASSIFIER]
    assert main([*fit, *loose, f"output={tmp_path / 'fitted'}"]) == 0
    assert "of failures are called a success" in capsys.readouterr().err
    given = [f"reward_model={tmp_path / 'fitted'}", "success_from=model"]
    assert relabel(data, tmp_path / "out", *given) == 0
    provenance = json.loads((tmp_path / "out" / "meta" / "robo_reward" / "provenance.json").read_text())
    assert provenance["success_models"]["make it green"]["certified"]["recall"] is None
    (tmp_path / "out.partial" / "finished").mkdir(parents=True)
    assert relabel(data, tmp_path / "out", *given) == 0
    assert not (tmp_path / "out.partial").exists()


def test_what_was_recorded_is_the_success_unless_the_model_is_asked(recorded, fitted, tmp_path, capsys):
    assert relabel(recorded, tmp_path / "out", f"reward_model={fitted['with']}") == 0
    assert "success, as recorded: 3 of 4 episodes" in capsys.readouterr().err
    table = pq.read_table(sorted((tmp_path / "out").glob("data/**/*.parquet"))).to_pandas()
    assert table["next.success"].sum() == 3
    assert relabel(recorded, tmp_path / "plain", f"reward_model={fitted['without']}") == 0
    assert "success model" not in capsys.readouterr().err
    plain = pq.read_table(sorted((tmp_path / "plain").glob("data/**/*.parquet"))).to_pandas()
    assert table.drop(columns=["reward.success_probability"]).equals(plain)


def test_success_that_nothing_was_fitted_to_tell_is_refused_with_the_remedy(recorded, fitted, tmp_path, capsys):
    remedy = "robo-reward fit success=classifier episodes.path=DEMOS output=FITTED fits it"
    for model in ([f"reward_model={fitted['without']}"], PROMPTS[:2]):
        assert relabel(recorded, tmp_path / "out", *model, "success_from=model") == 2
        said = capsys.readouterr().err
        assert "success_from=model: nothing was fitted to tell success of ['make it green']" in said
        assert remedy in said
    assert relabel(recorded, tmp_path / "out", f"reward_model={fitted['with']}", "success_from=people") == 2
    assert "success_from must be dataset or model, got 'people'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_encoders_of_saved_models_are_overridden_under_their_own_key(recorded, fitted, tmp_path, capsys):
    saved = f"reward_model={fitted['without']}"
    wrong = {
        "encoder.device=cpu": "its settings are overridden with reward_model.encoder.device=cpu",
        "++encoder.device=cpu": "its settings are overridden with reward_model.encoder.device=cpu",
        "encoder=siglip": "fit anew to change it",
        "reward_model.encoder.devise=cpu": "has no setting ['devise']; it has ['batch_size', 'device', 'precision'",
        "reward_model.encoder.device=nowhere": "nowhere",
    }
    for override, message in wrong.items():
        assert relabel(recorded, tmp_path / "out", saved, override) == 2
        assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert relabel(recorded, tmp_path / "out", saved, "reward_model.encoder.batch_size=3") == 0
    provenance = json.loads((tmp_path / "out" / "meta" / "robo_reward" / "provenance.json").read_text())
    assert provenance["encoder"]["batch_size"] == 3
    assert main(["evaluate", f"episodes.path={tmp_path / 'out'}", "encoder.devise=cpu"]) == 2
    assert "has no setting ['devise']" in capsys.readouterr().err


def test_only_saved_models_have_an_encoder_of_their_own():
    assert compose_verb("relabel", ["encoder.device=cpu", "encoder.batch_size=2"]).encoder.batch_size == 2
    assert compose_verb("evaluate", ["encoder.device=cuda"]).encoder == {"device": "cuda"}
