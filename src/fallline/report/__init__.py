"""What is shown of a study: tables, figures, one HTML page, and how it gets on while it runs."""

from fallline.report import figures as figures
from fallline.report import inside as inside
from fallline.report import page as page
from fallline.report import tables as tables
from fallline.report.progress import default_watcher as default_watcher
