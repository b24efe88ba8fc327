import pytest

from fallline.study.direction import known_direction


@pytest.mark.parametrize(
    "name",
    [
        *("test_loss", "test_error", "test_error_rate", "test_wer", "test_rmsle", "test_brier", "test_brier_score"),
        *("test_mean_absolute_error", "test_top1_err", "test_log_loss", "test_logloss", "test_bits_per_character"),
        *("test_distance", "test_hinge", "test_MAE", "test_RMSE", "test_NLL", "test_negative_log_likelihood"),
    ],
)
def test_errors_are_better_where_there_are_less(name):
    assert known_direction(name) == "less"


@pytest.mark.parametrize(
    "name",
    ["test_accuracy", "train_top5_accuracy", "test_F1", "test_r2", "test_explained_variance", "test_log_likelihood"],
)
def test_scores_are_better_where_there_are_more(name):
    assert known_direction(name) == "more"


@pytest.mark.parametrize("name", ["test_pressure", "test_parameter", "test_variance", "test_accent"])
def test_other_names_say_nothing(name):
    assert known_direction(name) is None
