"""Ways to apply any rule: `reference` is the meaning, the others equal it and are faster."""

from fallline.executors.compiled import Compiled as Compiled
from fallline.executors.compiled import cannot_capture as cannot_capture
from fallline.executors.foreach import foreach as foreach
from fallline.executors.in_place import in_place as in_place
from fallline.executors.kernels import can_compile as can_compile
from fallline.executors.part import Executor as Executor
from fallline.executors.part import Part as Part
from fallline.executors.part import Surroundings as Surroundings
from fallline.executors.part import Update as Update
from fallline.executors.part import apart as apart
from fallline.executors.population import initial_states as initial_states
from fallline.executors.population import population as population
from fallline.executors.reference import initial_state as initial_state
from fallline.executors.reference import reference as reference
