"""What the results of a few seeds allow one to say: paired comparisons, intervals, verdicts.

Functions take plain numbers, one for each seed; less is better unless said, and NaN or infinite stands for a diverged
run, which is the worst result.
"""

from fallline.statistics.bounded_mean import bounded_mean as bounded_mean
from fallline.statistics.comparison import Comparison as Comparison
from fallline.statistics.detectable import detectable_difference as detectable_difference
from fallline.statistics.expected_best import ExpectedBest as ExpectedBest
from fallline.statistics.expected_best import expected_best as expected_best
from fallline.statistics.interval import LEVEL as LEVEL
from fallline.statistics.interval import Interval as Interval
from fallline.statistics.mean_rank import mean_ranks as mean_ranks
from fallline.statistics.median import MedianInterval as MedianInterval
from fallline.statistics.median import median_interval as median_interval
from fallline.statistics.paired import Paired as Paired
from fallline.statistics.paired import differences as differences
from fallline.statistics.paired import paired as paired
from fallline.statistics.problem_ratio import ProblemRatio as ProblemRatio
from fallline.statistics.problem_ratio import problem_ratio as problem_ratio
from fallline.statistics.proportion import Proportion as Proportion
from fallline.statistics.proportion import exact_proportion as exact_proportion
from fallline.statistics.proportion import wilson_proportion as wilson_proportion
from fallline.statistics.rate_robustness import RateRobustness as RateRobustness
from fallline.statistics.rate_robustness import rate_robustness as rate_robustness
from fallline.statistics.seeds_needed import seeds_needed as seeds_needed
from fallline.statistics.signed_rank import SignedRank as SignedRank
from fallline.statistics.signed_rank import signed_rank_test as signed_rank_test
from fallline.statistics.signed_rank_interval import signed_rank_interval as signed_rank_interval
from fallline.statistics.step_down import step_down as step_down
from fallline.statistics.terms import Terms as Terms
from fallline.statistics.time_to_target import TimeToTarget as TimeToTarget
from fallline.statistics.time_to_target import time_to_target as time_to_target
from fallline.statistics.verdict import Verdict as Verdict
from fallline.statistics.verdict import verdict as verdict
