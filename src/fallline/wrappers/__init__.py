"""Rules made from rules; they compose by nesting alone."""

from fallline.wrappers.accumulate import Accumulate as Accumulate
from fallline.wrappers.average import Average as Average
from fallline.wrappers.cautious import Cautious as Cautious
from fallline.wrappers.centralise import Centralise as Centralise
from fallline.wrappers.clip import Clip as Clip
from fallline.wrappers.decoupled import DecoupledDecay as DecoupledDecay
from fallline.wrappers.independent import IndependentDecay as IndependentDecay
from fallline.wrappers.l1 import L1 as L1
from fallline.wrappers.l2 import L2 as L2
from fallline.wrappers.lookahead import Lookahead as Lookahead
from fallline.wrappers.maximize import Maximize as Maximize
from fallline.wrappers.noise import Noise as Noise
from fallline.wrappers.route import Route as Route
from fallline.wrappers.sam import SAM as SAM
from fallline.wrappers.wrapper import Wrapper as Wrapper
