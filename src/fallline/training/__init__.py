"""The loop that trains a cohort, and what a training leaves behind."""

from fallline.training.cohort import Budget as Budget
from fallline.training.cohort import Trained as Trained
from fallline.training.cohort import train_cohort as train_cohort
from fallline.training.curve import Curve as Curve
from fallline.training.curve import evaluation_steps as evaluation_steps
from fallline.training.curve import first_reached as first_reached
from fallline.training.evaluate import evaluate as evaluate
from fallline.training.member import Algorithm as Algorithm
from fallline.training.member import Member as Member
from fallline.training.origin import Origin as Origin
from fallline.training.outcome import Ending as Ending
from fallline.training.outcome import Outcome as Outcome
from fallline.training.trace import trace as trace
