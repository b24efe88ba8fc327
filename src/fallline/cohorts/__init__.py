"""Cohorts trained as one program: hundreds of trainings for little more than the price of one."""

from fallline.cohorts.compaction import Costs as Costs
from fallline.cohorts.reasons import CannotMap as CannotMap
from fallline.cohorts.reasons import mapping as mapping
from fallline.cohorts.reasons import reason as reason
from fallline.cohorts.train import train_population as train_population
from fallline.cohorts.trial import Trial as Trial
from fallline.cohorts.trial import tried as tried
