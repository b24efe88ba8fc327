"""What the diagnostics of a study say: in sentences, a picture and the report."""

import pytest
from torch import nn
from torch.nn.functional import cross_entropy

import fallline as fl
from fallline.report import inside, page, tables
from fallline.report.method import method

DIGITS = fl.problems.load("digits")


def deep(depth=10):
    layers = [nn.Linear(64, 20), nn.Sigmoid()]
    for _ in range(depth - 2):
        layers += [nn.Linear(20, 20), nn.Sigmoid()]
    return nn.Sequential(*layers, nn.Linear(20, 10))


@pytest.fixture(scope="module")
def vanished(tmp_path_factory):
    problem = fl.Problem(model=deep, loss=cross_entropy, train=DIGITS.train, name="deep")
    return fl.compare(
        problem, ["sgd"], protocol="sweep", lrs=[0.1], epochs=1, seeds=2, diagnostics="all", threads=1, progress=False,
        store=tmp_path_factory.mktemp("deep") / "s",
    )  # fmt: skip


def test_vanishing_layers_are_named_from_a_study(vanished):
    notes = inside.inside_notes(vanished, vanished.ranking)
    assert any(note.startswith("sgd, seed") and "Vanishing gradients" in note and "'0'" in note for note in notes)
    again = fl.results(vanished.folder)
    assert inside.inside_notes(again, again.ranking) == notes


def test_columns_stand_in_the_models_order_and_at_the_evaluations(vanished):
    columns = inside.record_columns(fl.results(vanished.folder).records[0])
    norms = [name for name in columns if name.startswith("gradient_norm/")]
    assert norms == [f"gradient_norm/{2 * i}" for i in range(10)]
    assert columns["step"] == vanished.records[0].curve["step"][1:]
    curve = vanished.records[0].curve
    assert all(value > 0 for value in curve["noise_scale"])
    assert len(curve["sharpness"]) == len(curve["step"])


def test_recording_changes_no_bit_of_the_training(vanished, tmp_path):
    plain = fl.compare(
        fl.Problem(model=deep, loss=cross_entropy, train=DIGITS.train, name="deep"),
        ["sgd"], protocol="sweep", lrs=[0.1], epochs=1, seeds=2, threads=1, progress=False, store=tmp_path / "s",
    )  # fmt: skip
    for with_it, without in zip(vanished.records, plain.records, strict=True):
        assert with_it.curve["train_loss"] == without.curve["train_loss"]
    assert not inside.diagnosed(plain)
    assert "Inside the trainings" not in page.page_text(plain)


def test_the_report_has_the_sentences_and_the_picture(vanished, tmp_path):
    text = page.page_text(vanished)
    assert "Inside the trainings" in text
    assert "Vanishing gradients" in text
    assert 'src="data:image/png;base64,' in text
    assert inside.save_layers(vanished, tmp_path / "layers.png").read_bytes().startswith(b"\x89PNG")


def test_of_more_rows_than_are_drawn_the_best_of_each_optimizer_is_among_them(studies, monkeypatch, tmp_path):
    kept = []
    monkeypatch.setattr(inside, "save", lambda figure, path: kept.append(figure))
    monkeypatch.setattr(inside, "PANELS", 5)
    inside.save_layers(studies.recorded, tmp_path / "layers.png")
    (figure,) = kept
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert len(titles) == len(set(titles)) == 5
    best = inside.best_rows(studies.recorded.ranking)
    assert {inside.full_name(studies.recorded, row).replace(" (", ", ").rstrip(")") for row in best} <= set(titles)
    assert any("5 of 8 rows of the ranking" in text.get_text() for text in figure.texts)
    monkeypatch.setattr(inside, "PANELS", 8)
    inside.save_layers(studies.recorded, tmp_path / "layers.png")
    assert not any("of 8 rows" in text.get_text() for text in kept[1].texts)


def test_many_runs_in_which_nothing_was_found_are_counted(studies):
    (said,) = [note for note in inside.found_notes(studies.recorded, studies.recorded.ranking) if "No layer" in note]
    assert said == "No layer vanishes, explodes, is dead or non-finite in any of the 8 best runs."


def test_what_is_compared_beside_optimizers_is_in_the_method_and_the_gap_in_the_table(tmp_path):
    results = fl.compare(
        "digits", ["sgd"], lrs=[0.1], epochs=1, seeds=1, threads=1, progress=False, store=tmp_path / "s",
        protocol="sweep", vary={"l1": [0, 0.01], "patience": [2]}, schedules=["cosine"],
    )  # fmt: skip
    told = " ".join(method(results).values())
    assert "learning-rate schedule cosine" in told
    assert "L1 penalty" in told
    assert "not on biases" in told
    assert "best weights are restored" in told
    for width in (80, 100, 140):
        assert "training" in tables.ranking_text(results, width)
        assert "l1=0.01" in tables.ranking_text(results, width)
    assert "test - training loss" in page.page_text(results)
