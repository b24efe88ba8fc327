"""Which way a quantity is better, as its name says."""

import re
from typing import Literal

_LESS = """
loss error err mae mse rmse rmsle msle mape smape mase deviation distance divergence nll kl bce ce
entropy perplexity ppl brier hinge wer cer ter ece fpr fnr regret bpc bpd bits cost risk
"""
_MORE = """
accuracy acc auc auroc auprc f1 fbeta precision recall sensitivity specificity tpr tnr r2 score iou
dice bleu rouge meteor psnr ssim map ndcg mrr hits kappa mcc correlation pearson spearman likelihood
lift reward return explained
"""
_JOINED = ("loss", "error", "entropy")
"""What ends a word as well: logloss, crossentropy."""


def less_is_better(quantity: str) -> bool:
    """Whether a smaller value is the better one; of a name that does not say it, more is taken to be.

    >>> less_is_better("test_loss"), less_is_better("test_MAE"), less_is_better("test_accuracy")
    (True, True, False)
    """
    return known_direction(quantity) == "less"


def known_direction(quantity: str) -> Literal["less", "more"] | None:
    """Whether less or more is better by a quantity's name; None where that says nothing.

    A name with words of both kinds is one of errors: an error rate, a Brier score.

    >>> known_direction("test_top1_err"), known_direction("test_f1_score"), known_direction("train_pressure")
    ('less', 'more', None)
    >>> known_direction("test_negative_log_likelihood"), known_direction("test_LogLoss")
    ('less', 'less')
    """
    words = re.findall(r"[a-z]+[0-9]*", re.sub(r"([a-z])([A-Z])", r"\1_\2", quantity).lower())
    of_errors = any(word in _LESS.split() or word.endswith(_JOINED) for word in words)
    if of_errors or {"negative", "likelihood"} <= set(words):
        return "less"
    return "more" if any(word in _MORE.split() for word in words) else None
