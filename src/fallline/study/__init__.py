"""What is compared and how it is run: specification, plan, store, ranking, results."""

from fallline.study.contenders import Contender as Contender
from fallline.study.named import named as named
from fallline.study.parsing import contender as contender
from fallline.study.ranking import Row as Row
from fallline.study.record import Record as Record
from fallline.study.results import StudyResults as StudyResults
from fallline.study.results import read_results as read_results
from fallline.study.run import run as run
from fallline.study.speed import Speed as Speed
from fallline.study.store import Store as Store
from fallline.study.study import Study as Study
from fallline.study.study import make_study as make_study
from fallline.study.study import rebuild as rebuild
from fallline.study.values import log as log
from fallline.study.watcher import Silent as Silent
from fallline.study.watcher import Watcher as Watcher
