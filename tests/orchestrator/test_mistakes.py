"""Every mistake of a file is told at once, in its order: none hides another one, and none brings another one forth."""

from pathlib import Path

import pytest

from data_shards.errors import Unreachable
from orchestrator.errors import Refusal
from orchestrator.planning.plan import make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.sweep_file.draft import read_draft
from orchestrator.sweep_file.yaml_file import parse
from tests.orchestrator.tasks import data_of

MAKES = "`i2i-cluster task train` makes one"


@pytest.fixture
def told(shards):
    """told(text): the lines about a sweep file; SHARDS in it is the toy data set."""

    def lines(text):
        written = parse(text.replace("SHARDS", str(shards)), "s.yaml")
        with pytest.raises(Refusal) as caught:
            make_plan(read_draft(written.values, written.found), "s.yaml", machine=Machine(cpus=4, gpus=0))
        return [line.removeprefix("s.yaml: ") for line in caught.value.lines()]

    return lines


def heads(lines):
    """Which keys the lines are about."""
    return [line.split(": ")[0] for line in lines]


def test_names_data_task_sizes_and_objective_are_told_together(told, tmp_path):
    (tmp_path / "runs").mkdir()
    lines = told(
        f"system: cyclegan\npreset: nope\nzebra: red\ndata: {{uri: SHARDS, image: 64, batch: 8, limit: {{c: 3}}}}\n"
        f"steps: 1k\nstorage: {tmp_path}/runs\ntask: reader\nweights: {{cycl: 1, gp: 3}}\nhyper: {{widht: 3, beta1: 2}}\n"
        "balance: {critic_turns: 0}\nevery: {report: 2k}\nresources: {workers: 8}\n"
        "search: {weights.idt: [0, 1]}\n"
    )
    assert [line.partition("; has: ")[0] for line in lines] == [
        "preset: unknown preset 'nope' of cyclegan",
        "zebra: unknown key 'zebra'",
        "data.limit.c: cyclegan reads no domain c",
        f"task: no sweep 'reader': {tmp_path}/runs holds none; name its folder; {MAKES}",
        "weights.cycl: unknown weight 'cycl' for cyclegan; nearest: cyc",
        "weights.gp: the term 'gp' does not exist with hyper.penalty none; nearest: hyper.penalty gp or lp",
        "hyper.widht: unknown setting 'widht' for cyclegan; nearest: width",
        "hyper.beta1: must be at most 0.999999, not 2",
        "balance.critic_turns: must be at least 1, not 0",
        "every.report: 2000 is more than the 1000 steps of a training",
        "resources.cpus_per_worker: 8 x 1 CPUs are more than this machine's 4; lower resources.workers, or "
        "cpus_per_worker to 0.5",
        "search.weights.idt: must be a distribution, such as {uniform: [1, 9]}, not [0, 1]",
        "objective: a search needs an objective, such as {metric: ...}",
        "trials: a search needs at least 2 trials: the first is the preset",
    ]


def test_a_missing_task_network_hides_nothing(tmp_path):
    uri = data_of(tmp_path / "digits")
    values = {
        "system": "balanced",
        "preset": "frozen",
        "data": {"uri": uri, "image": 30, "batch": 40},
        "steps": 10,
        "trials": 3,
        "objective": {"metric": "loss/total"},
    }
    with pytest.raises(Refusal) as caught:
        make_plan(read_draft(values), "", machine=Machine(cpus=4, gpus=0))
    assert [line.partition("; ")[0] for line in caught.value.lines()] == [
        "data.image: 30 does not fit: the resnet generator needs a multiple of 4",
        "data.batch: a batch of 40 is more than the 20 training samples of a in digits",
        "trials: 3 trials without a search would be the same training 3 times",
        "objective.metric: the weighted loss 'loss/total' cannot be an objective: the smallest weights would win",
        "task: balanced asks a trained task network under these hyper settings",
    ]


def test_a_misspelt_key_is_taken_for_the_one_that_is_missing(told):
    assert told("sytem: cyclegan\ndta: {uri: SHARDS, image: 50, bach: 5}\nstep: 9\ntrails: 3\nhyper: {width: 0}\n") == [
        "sytem: unknown key 'sytem'; nearest: system",
        "dta: unknown key 'dta'; nearest: data",
        "data.image: 50 does not fit: the resnet generator needs a multiple of 4; nearest: 48 or 52",
        "data.bach: unknown key 'bach'; nearest: batch",
        "step: unknown key 'step'; nearest: steps",
        "trails: unknown key 'trails'; nearest: trials",
        "trials: 3 trials without a search would be the same training 3 times; add a search, or leave trials out",
        "hyper.width: must be at least 1, not 0",
    ]


def test_a_value_that_does_not_suit_the_guess_is_told_once(told):
    assert told("system: cyclegan\ndata: {uri: SHARDS, image: 64}\nsteps: 9\ntrails: many\nlayot: {a: 1}\n") == [
        "trails: unknown key 'trails'; nearest: trials",
        "layot: unknown key 'layot'; nearest: layout",
    ]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        # Of what hangs on a refused value nothing is said.
        ("steps: soon\nevery: {report: 5k, evaluate: 9}\nscheduler: asha\n", ["steps"]),
        ("data: {replicas: 3, batch: 5}\nresources: {workers: 4}\n", ["data.replicas"]),
        ("resources: {workers: 3, gpus_per_worker: 2}\nprecision: tf32\n", ["resources.workers"]),
        ("search: {weights.cyc: [1, 2]}\ntrials: 4\nobjective: {metric: eval/cycle}\n", ["search.weights.cyc"]),
        ("searcher: gird\nsearch: {weights.cyc: {uniform: [1, 2]}}\nobjective: {metric: eval/l1}\n", ["searcher"]),
        ("storage: 3\ntask: reader\n", ["storage"]),
        ("task: 3\nobjective: {metric: 'eval/kid[task]'}\n", ["task"]),
        ("evaluation: {draws: 0}\nobjective: {metric: eval/diversity}\n", ["evaluation.draws"]),
        ("data: {mode: streamed, domains: {a: '*.tar'}}\n", ["data.mode"]),
        ("hyper: wide\nweights: {idt: 1, gp: 2}\nobjective: {metric: eval/identity}\n", ["hyper"]),
        ("search: 3\nweights: {gp: 2}\ntrials: 4\nobjective: {metric: eval/l1}\n", ["search"]),
        # Settings in doubt could be what makes the others right.
        ("hyper: {identiti: true, width: 3}\npreset: without-identity\nweights: {idt: 1}\n", ["hyper.identiti"]),
        ("hyper: {penalty: gpp}\nweights: {gp: 1}\n", ["hyper.penalty"]),
        ("preset: without-identiti\nweights: {idt: 1}\nobjective: {metric: eval/identity}\n", ["preset"]),
        ("hyper: {critic: patch1}\ndata: {image: 16}\n", ["hyper.critic"]),
        ("hyper: {gan: begann, critic: autoencoder}\ndata: {image: 64}\n", ["hyper.gan"]),
        # And could not.
        ("hyper: {critic: patch1}\ndata: {image: 50}\n", ["data.image", "hyper.critic"]),
        ("hyper: {gan: lsgn}\nweights: {gp: 1}\n", ["hyper.gan", "weights.gp"]),
        ("data: {image: 0}\nhyper: {gan: began}\n", ["data.image", "hyper.gan"]),
        ("preset: lgo\nhyper: {identity: false}\nweights: {idt: 1}\n", ["preset", "weights.idt"]),
    ],
)
def test_what_only_follows_from_another_mistake_is_not_told(refused, text, keys):
    told = [line.removeprefix("sweep.yaml: ") for line in refused(text)]
    assert sorted(heads(told)) == sorted(keys)


def test_what_does_not_fit_is_told_in_full(told):
    assert told(
        "system: distancegan\ndata: {uri: SHARDS, image: 34}\nsteps: 9\n"
        "hyper: {sides: ab, cycle: true, smoothing: 0.1, gan: wgan}\nobjective: {metric: eval/l1_ba}\n"
    ) == [
        "data.image: 34 does not fit: the resnet generator needs a multiple of 4; nearest: 32 or 36",
        "hyper.cycle: true does not fit: the cycle needs both sides, and hyper.sides is ab; nearest: hyper.sides both",
        "hyper.smoothing: 0.1 does not fit: wgan has no target to smooth; these have: lsgan, vanilla, minimax",
        "objective.metric: eval/l1_ba does not exist with hyper.sides ab; nearest: hyper.sides both; has: eval/l1, eval/psnr, "
        "eval/ssim, eval/nearest_truth, eval/distance_correlation, eval/distance_correlation_halves, loss/adv_ab, loss/dist_ab, "
        "loss/d_b",
    ]


def test_a_system_that_nobody_knows_hides_neither_data_nor_sizes(told):
    assert heads(
        told(
            "system: cycelgan\ndata: {uri: /nowhere, image: 64, batch: 6, replicas: 4}\nsteps: 9\nweights: {x: 1}\n"
            "every: {report: 10}\nstorage: /proc/x\n"
        )
    ) == ["system", "data.uri", "data.batch", "every.report", "storage"]


def test_data_that_are_not_there_hide_nothing(told):
    lines = told(
        "system: cyclegan\ndata: {uri: /nowhere, image: 50}\nsteps: 9\nsearch: {weights.cyc: {uniform: [1, 2]}}\n"
        "objective: {metric: eval/cycle}\ntrials: 1\n"
    )
    assert heads(lines) == ["data.uri", "data.image", "objective.metric", "trials"]
    assert lines[2] == (
        "objective.metric: eval/cycle measures what weights.cyc weighs, and that is searched: the largest weight would win; "
        "has: loss/adv_ab, loss/adv_ba, loss/d_a, loss/d_b"
    ), "no score of data that nobody has seen is proposed"
    unpaired = "system: cyclegan\ndata: {uri: /nowhere, image: 64}\nsteps: 9\nobjective: {metric: eval/l1}\n"
    assert heads(told(unpaired)) == ["data.uri"], "they might know the truth"


def test_data_tell_all_that_they_lack(tmp_path, refused):
    uri = data_of(tmp_path / "plain", (), a=1, b=3)
    lines = refused(f"system: balanced\ndata: {{uri: {uri}, image: 30, limit: {{x: 3, y: 4}}}}\n")
    assert heads(line.removeprefix("sweep.yaml: ") for line in lines) == [
        "data.uri",
        "data.image",
        "data.limit.x",
        "data.limit.y",
    ]


def test_each_axis_that_a_grid_cannot_take_is_told(refused):
    axes = "weights.cyc: {uniform: [1, 2]}, hyper.lr: {choice: [1, 2]}, weights.idt: {uniform: [0, 1]}"
    lines = refused(f"searcher: grid\nobjective: {{metric: eval/l1}}\nsearch: {{{axes}}}\n")
    assert [line.split(": ")[1] for line in lines] == ["search.weights.cyc", "search.weights.idt"]


def test_a_slip_of_the_pen_hides_nothing_of_what_is_written(told):
    text = (
        "system: cyclegan\nsteps: 9\nsteps: 10\ndata: {uri: SHARDS, image: !!int big, jitter: 1}\nseed: &x [*x]\n"
        "? [a]\n: 1\nweights: {x: 1}\n"
    )
    assert [line.partition("; ")[0] for line in told(text)] == [
        "steps: key given twice, in line 2 and in line 3",
        "data.image: cannot be read as int: 'big'",
        "data.jitter: unknown key 'jitter'",
        "seed.0: an alias that contains itself",
        "weights.x: unknown weight 'x' for cyclegan",
        "line 6: a key must be a single word, not a list or a mapping",
    ]


def test_a_store_that_does_not_answer_does_not_hide_a_mistake(told, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    nobody = "s3://bucket/x?endpoint=http://127.0.0.1:9&deadline=1s"
    text = f"system: cyclegan\ndata: {{uri: '{nobody}', image: 64}}\nsteps: 9\n"
    assert heads(told(text + "weights: {x: 1}\n")) == ["weights.x"]
    with pytest.raises(Unreachable):
        told(text)


@pytest.mark.parametrize(
    ("task", "line"),
    [
        ("FOLDER/file", "no sweep 'FOLDER/file': that is a file, and a sweep is a folder"),
        ("FOLDER", "no sweep 'FOLDER': that folder holds neither one nor a model"),
        ("FOLDER/none", "no sweep 'FOLDER/none': there is no such folder"),
        ("~nosuchperson/x", "no sweep '~nosuchperson/x': there is no such folder"),
        ("file", f"no sweep 'file': FOLDER/runs holds none; name its folder; {MAKES}"),
    ],
)
def test_what_is_no_task_is_told(refused, tmp_path: Path, task, line):
    (tmp_path / "file").touch()
    (tmp_path / "runs").mkdir()
    place = str(tmp_path)
    (told,) = refused(f"task: {task.replace('FOLDER', place)}\nstorage: {place}/runs\n")
    assert told == f"sweep.yaml: task: {line.replace('FOLDER', place)}"


def test_more_samples_than_there_are_is_noted(planned):
    note = "evaluation.samples 500 is more than there are to validate (a 10, b 10): all of them are looked at"
    assert planned("evaluation: {samples: 500}").notes == (note,)
    assert planned("evaluation: {samples: 10}").notes == planned().notes == ()
