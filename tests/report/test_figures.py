import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.text import Text

import fallline as fl
from fallline.errors import InputError
from fallline.problems import SURFACES
from fallline.report import figures
from fallline.report.canvas import _apart
from fallline.report.colors import PALETTE, looks

NAMES = ("digits", "cubic", "two_problems", "all_diverged")
SAVERS = (figures.save_curves, figures.save_sensitivity)


def shows(picture, color):
    wanted = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return (np.abs(picture[..., :3] - wanted).max(axis=-1) < 0.02).sum()


@pytest.mark.parametrize("save", SAVERS)
@pytest.mark.parametrize("name", NAMES)
def test_every_optimizer_is_drawn(studies, tmp_path, save, name):
    results = getattr(studies, name)
    picture = imread(save(results, tmp_path / "figure.png"))
    assert 1000 <= picture.shape[1] <= 2000
    for look in looks(optimizer.label for optimizer in results.specification.optimizers).values():
        assert shows(picture, look.color) > 20


def test_a_partly_finished_study_is_drawn_and_an_empty_one_refused(studies, tmp_path):
    some = replace(studies.digits, records=studies.digits.records[:4])
    assert figures.save_curves(some, tmp_path / "some.png").stat().st_size > 10_000
    with pytest.raises(InputError, match="nothing to draw"):
        figures.save_curves(replace(some, records=()), tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


@pytest.mark.parametrize(("ending", "start"), [("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_the_ending_chooses_the_format_and_equal_studies_give_equal_files(studies, tmp_path, ending, start):
    first = figures.save_curves(studies.digits, tmp_path / f"first.{ending}").read_bytes()
    second = figures.save_curves(studies.digits, tmp_path / f"second.{ending}").read_bytes()
    assert first.startswith(start)
    assert first == second


def test_an_unknown_ending_is_refused(studies, tmp_path):
    with pytest.raises(InputError, match=r"\.png, \.pdf or \.svg"):
        figures.save_curves(studies.digits, tmp_path / "curves.docx")


def test_the_settings_of_matplotlib_are_put_back(studies, tmp_path):
    with matplotlib.rc_context({"font.size": 3, "text.usetex": True}):
        before = dict(matplotlib.rcParams)
        figures.save_sensitivity(studies.digits, tmp_path / "figure.png")
        assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", SURFACES)
def test_a_path_is_drawn_on_every_surface(tmp_path, name):
    path = fl.trace(name, fl.rules.SGD(lr=0.001), steps=100)
    picture = imread(figures.save_trace(path, SURFACES[name], "sgd $lr_=0.001", tmp_path / "trace.png"))
    assert shows(picture, "#D55E00") > 100


def test_a_path_that_leaves_the_numbers_is_drawn_as_far_as_it_goes(tmp_path):
    path = fl.trace("beale", fl.rules.SGD(lr=0.5), steps=10)
    assert not np.isfinite(path).all()
    picture = imread(figures.save_trace(path, SURFACES["beale"], "sgd", tmp_path / "trace.png"))
    assert shows(picture, "#D55E00") > 100


def test_names_of_lines_keep_apart():
    places = _apart([0.1, 0.11, 0.12, 0.9, 0.99], 0.05)
    assert all(upper - lower >= 0.05 - 1e-12 for lower, upper in pairwise(places))
    assert max(places) <= 1
    assert np.mean(places[:3]) == pytest.approx(0.11)


def test_looks_are_told_apart_beyond_the_palette():
    labels = [f"optimizer {i}" for i in range(28)]
    seen = looks(labels)
    assert len({(look.color, look.dash) for look in seen.values()}) == 28
    assert len({(look.color, look.marker) for look in seen.values()}) == 28
    assert [look.color for look in looks(labels[:7]).values()] == list(PALETTE)


def test_importing_the_room_loads_no_drawing_library():
    script = "import sys, fallline.report\nprint([n for n in ('matplotlib', 'plotly', 'jinja2') if n in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_figures_leave_pyplot_alone(studies, tmp_path):
    script = (
        "import sys\nfrom fallline.report import figures\nfrom fallline.study import read_results\n"
        f"figures.save_curves(read_results({str(studies.digits.folder)!r}), {str(tmp_path / 'c.png')!r})\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_folders_are_made_and_nothing_else_is_left_in_them(studies, tmp_path):
    figures.save_curves(studies.digits, tmp_path / "deep" / "er" / "curves.png")
    assert [path.name for path in (tmp_path / "deep" / "er").iterdir()] == ["curves.png"]


@pytest.fixture
def drawn(monkeypatch):
    """The figures drawn in place of files written."""
    kept = []
    monkeypatch.setattr(figures, "save", lambda figure, path: kept.append(figure))
    return kept


def texts(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text))


@pytest.mark.parametrize("save", SAVERS)
def test_of_many_conditions_the_best_are_drawn_on_one_scale_and_the_rest_is_counted(studies, drawn, tmp_path, save):
    save(studies.many, tmp_path / "figure.png")
    axes = drawn[0].axes
    assert len(axes) == 12
    assert len({ax.get_ylim() for ax in axes}) == 1
    best = list(dict.fromkeys(row.factors["l2"] for row in studies.many.ranking))[:12]
    strengths = [float(ax.get_title(loc="left").removeprefix("line, l2=")) for ax in axes]
    assert strengths == sorted(best)
    assert "12 of 14 panels: those with the best results" in texts(drawn[0])


@pytest.mark.parametrize("save", SAVERS)
def test_problems_have_scales_of_their_own(studies, drawn, tmp_path, save):
    save(studies.two_problems, tmp_path / "figure.png")
    assert len({ax.get_ylim() for ax in drawn[0].axes}) == 2
    assert "panels" not in texts(drawn[0])


def test_where_one_rate_was_tried_the_final_losses_are_drawn_row_by_row(studies, drawn, tmp_path):
    figures.save_sensitivity(studies.one_rate, tmp_path / "figure.png")
    (ax,) = drawn[0].axes
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["adam, lr=0.1, l1=0", "adam, lr=0.1, l1=0.1", "sgd, lr=1e+04, l1=0", "sgd, lr=1e+04, l1=0.1"]
    points = [line for line in ax.lines if line.get_marker() == "o"]
    finals = [sorted(run.final("validation_loss") for run in row.winners) for row in studies.one_rate.ranking[:2]]
    assert [sorted(line.get_xdata()) for line in points[:2]] == finals
    assert sum(line.get_marker() == "x" for line in ax.lines) == 2
    assert "2 of 2" in texts(drawn[0])
    assert "no optimizer was tried with two learning rates" in texts(drawn[0])
    assert "learning rate" not in ax.get_xlabel()
