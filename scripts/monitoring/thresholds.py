"""The numbers of the alerts, each once: rules, the lines in dashboards and the runbooks take them from here.

Those that the product has already are the product's: the rules by which trials are given up, and what `status` warns of. All times
are in seconds.
"""

from __future__ import annotations

from cluster.stopping import RULES
from orchestrator.running.health import SILENT_S, WAITS

MINUTE, HOUR = 60.0, 3600.0

CRITIC_WON = RULES["critic_won"].thresholds["above"]  # accuracy
CRITIC_BLIND = RULES["critic_blind"].thresholds["below"]
# A rule wants its sign for a share of the steps; before that share is over, no trial can have shown it for so long.
CRITIC_GRACE = RULES["critic_won"].thresholds["for"]
BLIND_GRACE = RULES["critic_blind"].thresholds["for"]
COLLAPSE = RULES["collapse"].thresholds["below"]  # spread
COLLAPSE_GRACE = RULES["collapse"].thresholds["grace"]
SILENT = SILENT_S  # without a report
DATA_WAIT = WAITS  # share of the time

UNSAVED = 3.0  # times the interval after which a trial is due to be saved
NONFINITE = 0.0  # times in NONFINITE_WINDOW
CHECKPOINT_FAILURES = 0.0  # in FAILURE_WINDOW
RESTARTS = 3.0  # in RESTART_WINDOW, and more than one for each trial that runs or waits
S3_FAILED = 0.05  # share of the requests
THROUGHPUT = 0.6  # share of what it was on average
PENDING = 0.0  # trials that wait while none runs
BUDGET = 0.8  # share of it that is spent
FAILED_TRIALS = 0.2  # share of the trials that were started

NONFINITE_WINDOW = 10 * MINUTE
FAILURE_WINDOW = 30 * MINUTE
RESTART_WINDOW = 30 * MINUTE
RATE_WINDOW = 15 * MINUTE  # the numbers of workers come with reports, which may be minutes apart
USUAL_WINDOW = 6 * HOUR  # of what is usual for a trial
