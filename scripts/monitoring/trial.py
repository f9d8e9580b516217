"""The dashboard of trials as trainings and as GANs."""

from __future__ import annotations

from cluster.monitoring import series as s
from scripts.monitoring.overview import TRIAL_UID
from scripts.monitoring.panels import RATE, Panel, Query, Row
from scripts.monitoring.promql import Clock, of, rate, total
from scripts.monitoring.recording import recordings
from scripts.monitoring.variables import ONE_TRIAL

UID = TRIAL_UID
R = recordings(Clock())


def _last(series: s.Series, by: str = "trial") -> str:
    """The value, whichever driver told it."""
    return f"max by ({by}) ({of(series, **ONE_TRIAL)})"


def _one(
    title: str,
    description: str,
    unit: str,
    expr: str,
    legend: str = "trial {{trial}}",
    *alerts: str,
    most: float | None = None,
) -> Panel:
    return Panel(title, description, unit, (Query(expr, legend),), alerts, most=most)


ROWS = (
    Row(
        "Losses and scores",
        (
            _one(
                "Losses",
                "Each term as it is, unweighted, at the last report; gaps are NaN.",
                "short",
                _last(s.LOSS, "trial, term"),
                "{{trial}} {{term}}",
            ),
            _one("Scores", "Of each evaluation.", "short", _last(s.SCORE, "trial, metric"), "{{trial}} {{metric}}"),
            _one(
                "Best scores",
                "The best so far by each objective.",
                "short",
                _last(s.BEST_SCORE, "trial, metric"),
                "{{trial}} {{metric}}",
            ),
        ),
    ),
    Row(
        "The game",
        (
            _one(
                "Accuracy of critics",
                "Share of patches that each critic judged rightly; 0.5 is chance. The alerts want all critics of a trial beyond a"
                " line, the first third of the steps over, and a criterion with a boundary (not wgan, not began).",
                "percentunit",
                _last(s.ACCURACY, "trial, term"),
                "{{trial}} {{term}}",
                "critic-won",
                "generator-starved",
                most=1.0,
            ),
            _one(
                "Raw outputs of critics",
                "Means for real and for generated pictures: drifting apart, the critic wins; on one another, it is blind.",
                "short",
                _last(s.OUTPUT, "trial, term, input"),
                "{{trial}} {{term}} {{input}}",
            ),
            _one(
                "Gradient norms",
                "Of each player's last move: near 0 nobody learns.",
                "short",
                _last(s.GRADIENT, "trial, player"),
                "{{trial}} {{player}}",
            ),
            _one(
                "Moves",
                "Updates a second of each player; a critic that rests has fewer.",
                "ops",
                total(rate(s.MOVES, RATE, **ONE_TRIAL), "trial, player"),
                "{{trial}} {{player}}",
            ),
            _one(
                "Weights of losses",
                "As they are in force now, schedules included.",
                "short",
                _last(s.WEIGHT, "trial, term"),
                "{{trial}} {{term}}",
            ),
            _one(
                "Updates left out",
                "Updates that were not finite (`on_nonfinite: skip`).",
                "short",
                _last(s.SKIPPED, "trial, player"),
                "{{trial}} {{player}}",
            ),
        ),
    ),
    Row(
        "Health",
        (
            _one(
                "Output spread",
                "How far a domain's outputs differ from one another, over how far real pictures do: near 0 is a collapse. The alert"
                " waits until the first third of the steps is over.",
                "percentunit",
                _last(s.SPREAD, "trial, domain"),
                "{{trial}} {{domain}}",
                "mode-collapse",
            ),
            _one(
                "Output change",
                "How far outputs are from their inputs, of images in [0, 1]: near 0 is the identity.",
                "short",
                _last(s.CHANGE, "trial, domain"),
                "{{trial}} {{domain}}",
            ),
            _one(
                "Rollbacks",
                "Times that a trial went back because a number was not finite (`on_nonfinite: rollback`).",
                "short",
                _last(s.RETREATS),
            ),
        ),
    ),
    Row(
        "Speed",
        (
            _one("Images a second", "Between the last two reports.", "short", _last(s.THROUGHPUT)),
            _one(
                "Speed next to usual",
                "Images a second and worker, over what they were in the last six hours.",
                "percentunit",
                R.throughput.of(**ONE_TRIAL),
                "trial {{trial}}",
                "throughput-drop",
            ),
            _one(
                "Waiting for data",
                "Share of the time that the first worker waited.",
                "percentunit",
                R.data_wait.of(**ONE_TRIAL),
                "trial {{trial}}",
                "data-starvation",
            ),
            _one("Workers", "That train the trial.", "short", _last(s.WORKERS)),
            _one("Progress", "Share of the steps that are done.", "percentunit", _last(s.PROGRESS), most=1.0),
            _one(
                "Since the last report",
                "How long nothing was recorded of a trial that runs.",
                "s",
                R.silence.of(**ONE_TRIAL),
                "trial {{trial}}",
                "training-stalled",
            ),
        ),
    ),
    Row(
        "Checkpoints and evaluations",
        (
            _one(
                "Not saved",
                "Steps that no checkpoint holds, in intervals of checkpoints: `every.checkpoint`, or `every.evaluate` where that"
                " is less.",
                "short",
                R.unsaved.of(**ONE_TRIAL),
                "trial {{trial}}",
                "checkpoint-stale",
            ),
            _one("Time to save", "Of the newest checkpoint, beside the training.", "s", _last(s.SAVED_IN)),
            _one("Size of a checkpoint", "Of the newest one.", "bytes", _last(s.SAVED_BYTES)),
            _one("Since the last checkpoint", "Age of the newest one.", "s", f"time() - {_last(s.SAVED_AT)}"),
            _one("Since the last evaluation", "Age of the scores.", "s", f"time() - {_last(s.EVALUATED_AT)}"),
            _one("Pictures judged", "That the last evaluation looked at.", "short", _last(s.SAMPLES)),
            _one(
                "Training time",
                "Seconds of training, evaluations included; those trained again count once.",
                "s",
                _last(s.SECONDS),
            ),
        ),
    ),
)
