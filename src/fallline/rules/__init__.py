"""The mathematics: one published algorithm per file."""

from fallline.rules.adadelta import Adadelta as Adadelta
from fallline.rules.adafactor import Adafactor as Adafactor
from fallline.rules.adagrad import Adagrad as Adagrad
from fallline.rules.adam import Adam as Adam
from fallline.rules.adamax import Adamax as Adamax
from fallline.rules.adamw import AdamW as AdamW
from fallline.rules.asgd import ASGD as ASGD
from fallline.rules.lamb import LAMB as LAMB
from fallline.rules.lion import Lion as Lion
from fallline.rules.momentum import Momentum as Momentum
from fallline.rules.muon import Muon as Muon
from fallline.rules.nadam import NAdam as NAdam
from fallline.rules.now import Now as Now
from fallline.rules.prodigy import Prodigy as Prodigy
from fallline.rules.radam import RAdam as RAdam
from fallline.rules.ranges import LogRange as LogRange
from fallline.rules.ranges import Range as Range
from fallline.rules.rmsprop import RMSprop as RMSprop
from fallline.rules.rprop import Rprop as Rprop
from fallline.rules.rule import Rule as Rule
from fallline.rules.rule import State as State
from fallline.rules.schedule_free_adamw import ScheduleFreeAdamW as ScheduleFreeAdamW
from fallline.rules.schedule_free_sgd import ScheduleFreeSGD as ScheduleFreeSGD
from fallline.rules.sgd import SGD as SGD
from fallline.rules.soap import SOAP as SOAP
from fallline.rules.sparse_adam import SparseAdam as SparseAdam
