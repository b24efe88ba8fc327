"""What goes on inside a training: gradients, updates, dead units, noise and sharpness, and what they mean."""

from fallline.diagnostics.cosine import cosine as cosine
from fallline.diagnostics.dead_units import dead_units as dead_units
from fallline.diagnostics.findings import findings as findings
from fallline.diagnostics.layers import layers as layers
from fallline.diagnostics.noise_scale import NoiseScale as NoiseScale
from fallline.diagnostics.noise_scale import noise_scale as noise_scale
from fallline.diagnostics.nonfinite import count_nonfinite as count_nonfinite
from fallline.diagnostics.norm import gradient_norms as gradient_norms
from fallline.diagnostics.norm import norm as norm
from fallline.diagnostics.norm import weight_norms as weight_norms
from fallline.diagnostics.saturation import saturated as saturated
from fallline.diagnostics.sharpness import Sharpness as Sharpness
from fallline.diagnostics.sharpness import sharpness as sharpness
from fallline.diagnostics.update_ratio import update_ratio as update_ratio
from fallline.diagnostics.watch import Watch as Watch
