"""Rules made from rules; they compose by nesting alone."""

from fallline.wrappers.clip import Clip as Clip
from fallline.wrappers.decoupled import DecoupledDecay as DecoupledDecay
from fallline.wrappers.l1 import L1 as L1
from fallline.wrappers.l2 import L2 as L2
from fallline.wrappers.maximize import Maximize as Maximize
from fallline.wrappers.noise import Noise as Noise
from fallline.wrappers.wrapper import Wrapper as Wrapper
