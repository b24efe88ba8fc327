from fallline import diagnostics as diagnostics
from fallline import optim as optim
from fallline import problems as problems
from fallline import rules as rules
from fallline import schedules as schedules
from fallline import statistics as statistics
from fallline import wrappers as wrappers
from fallline.api import Results as Results
from fallline.api import compare as compare
from fallline.api import compare_file as compare_file
from fallline.api import lr_find as lr_find
from fallline.api import merged as merged
from fallline.api import plan as plan
from fallline.api import results as results
from fallline.api import resume as resume
from fallline.errors import InputError as InputError
from fallline.errors import MachineError as MachineError
from fallline.fitted import Fitted as Fitted
from fallline.fitted import fit as fit
from fallline.problems import Problem as Problem
from fallline.rules import LogRange as LogRange
from fallline.rules import Rule as Rule
from fallline.study import log as log
from fallline.training import trace as trace

__version__: str
