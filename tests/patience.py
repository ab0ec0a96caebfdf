"""How long tests wait for what a busy machine makes slow. Only a fault is waited for so long; what works answers sooner."""

ANSWER_SECONDS = 120.0
START_SECONDS = 300.0
# Playwright counts in these.
ANSWER_MS = 1000 * ANSWER_SECONDS
