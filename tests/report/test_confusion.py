import torch

from fallline.report.confusion import confusion_text


def test_twenty_classes_fit_into_eighty_columns_row_by_row():
    matrix = torch.diag(torch.full((20,), 30)) + torch.roll(torch.diag(torch.arange(20) % 3), 1, 1)
    lines = confusion_text(matrix, "test").splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) == 3 + 20
    assert lines[0].startswith("Confusion on test data: 600 of 619 right.")
    for i, line in enumerate(lines[3:]):
        label, *cells, share, percent = line.split()
        assert (int(label), percent) == (i, "%")
        assert [0 if cell == "." else int(cell) for cell in cells] == matrix[i].tolist()
        assert share == f"{100 * 30 / (30 + i % 3):.0f}"
    widths = {line.index("30") for line in lines[3:4]}
    assert lines[2].index("0") in {w + 1 for w in widths}


def test_of_many_classes_the_most_confused_pairs_are_named():
    matrix = torch.eye(100, dtype=torch.int64) * 50
    matrix[7, 1], matrix[3, 5], matrix[1, 7], matrix[0, 9] = 12, 4, 12, 1
    assert confusion_text(matrix, "validation").splitlines() == [
        "Confusion on validation data: 5,000 of 5,029 right. Most confused of 100 classes:",
        "  1 taken for 7: 12 times of 62",
        "  7 taken for 1: 12 times of 62",
        "  3 taken for 5: 4 times of 54",
        "  0 taken for 9: 1 time of 51",
    ]
    assert confusion_text(torch.eye(100, dtype=torch.int64), "test").splitlines()[-1] == "  none"


def test_large_counts_and_a_class_without_rows_keep_the_columns():
    lines = confusion_text(torch.tensor([[123456, 7], [0, 0]]), "test").splitlines()
    assert lines[2].rstrip().endswith("right")
    assert lines[3].split() == ["0", "123456", "7", "100", "%"]
    assert lines[4].split() == ["1", ".", "0", "-"]
    assert len(lines[3]) == len(lines[2])
