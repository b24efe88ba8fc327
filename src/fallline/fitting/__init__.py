"""One model trained, with checkpoints: the same machinery as a study's, of which it is one member."""

from fallline.fitting.cadence import Cadence as Cadence
from fallline.fitting.fit import FitResult as FitResult
from fallline.fitting.folder import FitFolder as FitFolder
from fallline.fitting.folder import is_fit as is_fit
from fallline.fitting.run import run as run
from fallline.fitting.single import single as single
from fallline.fitting.watcher import FitWatcher as FitWatcher
