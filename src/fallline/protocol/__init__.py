"""The protocol of a study: search, selection, more trials at an edge, reruns; in plain values, whatever is trained.

`conduct` is the one description of it: a study drives it with trainings, `benchmarks/calibration.py` with numbers.
"""

from fallline.protocol.conduct import Contestant as Contestant
from fallline.protocol.conduct import Rerun as Rerun
from fallline.protocol.conduct import Stage as Stage
from fallline.protocol.conduct import Training as Training
from fallline.protocol.conduct import conduct as conduct
from fallline.protocol.edges import Edge as Edge
from fallline.protocol.edges import edges as edges
from fallline.protocol.inclusion import under_tuned as under_tuned
from fallline.protocol.seeds import Seeds as Seeds
from fallline.protocol.selection import selected as selected
from fallline.protocol.space import SEARCHES as SEARCHES
from fallline.protocol.space import TRIALS as TRIALS
from fallline.protocol.space import Search as Search
from fallline.protocol.space import Space as Space
from fallline.protocol.space import trial_settings as trial_settings
