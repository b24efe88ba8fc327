"""What `import fallline as fl` offers: compare, plan, resume, results, lr_find, and what they give back."""

from fallline.api.comparing import compare as compare
from fallline.api.comparing import compare_file as compare_file
from fallline.api.comparing import plan as plan
from fallline.api.comparing import resume as resume
from fallline.api.comparing import study_of as study_of
from fallline.api.comparing import study_of_file as study_of_file
from fallline.api.rate_finding import RateSearch as RateSearch
from fallline.api.rate_finding import lr_find as lr_find
from fallline.api.study_results import Best as Best
from fallline.api.study_results import Results as Results
from fallline.api.study_results import merged as merged
from fallline.api.study_results import results as results
