import io

from rich.console import Console

from fallline.report.fit_progress import FitBar, FitLines

ROW = {"step": 50, "batch_loss": 0.4, "train_loss": 0.31, "validation_loss": 0.352, "validation_accuracy": 0.9}


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_lines_say_epoch_losses_metric_rate_and_speed_every_few_seconds():
    out, clock = io.StringIO(), Clock()
    watcher = FitLines(out, clock)
    watcher.begin(200, 20, 0)
    clock.now = 4.0
    watcher.evaluated(ROW, 0.05)
    watcher.advance(50)
    clock.now = 5.0
    watcher.advance(60)
    clock.now = 9.0
    watcher.advance(100)
    watcher.close()
    assert out.getvalue().splitlines() == [
        "Training 200 steps.",
        "epoch 4/10, training loss 0.310, validation loss 0.352, validation accuracy 0.900, lr 0.05, 12 steps/s",
    ]


def test_a_training_that_goes_on_counts_its_speed_from_there():
    out, clock = io.StringIO(), Clock()
    watcher = FitLines(out, clock, every=1.0)
    watcher.begin(200, 20, 100)
    clock.now = 2.0
    watcher.advance(140)
    assert out.getvalue().splitlines() == ["Training 100 steps; 100 were done before.", "epoch 8/10, 20 steps/s"]


def test_without_held_out_data_the_training_metric_is_shown_and_no_rate_where_there_is_none():
    out, clock = io.StringIO(), Clock()
    watcher = FitLines(out, clock, every=0.0)
    watcher.begin(1, 1, 0)
    watcher.evaluated({"step": 1, "train_loss": 0.5, "train_accuracy": 0.25}, None)
    watcher.advance(1)
    assert out.getvalue().splitlines()[-1] == "epoch 1/1, training loss 0.500, training accuracy 0.250"


def test_the_bar_goes_away_and_leaves_its_lines():
    out = io.StringIO()
    watcher = FitBar(Console(file=out, force_terminal=True, width=100))
    watcher.begin(40, 20, 0)
    watcher.evaluated(ROW, 0.1)
    watcher.advance(40)
    watcher.say("something")
    watcher.close()
    watcher.close()
    text = out.getvalue()
    assert "validation accuracy 0.9" in text
    assert "something" in text
    assert "epoch 1/2" in text
