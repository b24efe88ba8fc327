"""What is trained: a model, its loss, its data, its metrics and its factors."""

from fallline.problems.load import BUILT_IN as BUILT_IN
from fallline.problems.load import load as load
from fallline.problems.models import mlp as mlp
from fallline.problems.objective import Objective as Objective
from fallline.problems.objective import accuracy as accuracy
from fallline.problems.prepared import Prepared as Prepared
from fallline.problems.prepared import initial_model as initial_model
from fallline.problems.prepared import prepare as prepare
from fallline.problems.problem import Problem as Problem
from fallline.problems.rehearsal import rehearse as rehearse
from fallline.problems.surfaces import SURFACES as SURFACES
from fallline.problems.surfaces import Surface as Surface
from fallline.problems.surfaces import surface as surface
