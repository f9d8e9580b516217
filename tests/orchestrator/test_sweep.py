"""The sweep file alone: what it may say, and how each slip is told before any system or data is looked at."""

import pytest

from orchestrator.errors import Refusal
from orchestrator.search.space import LogUniform
from orchestrator.sweep_file.sweep import load_sweep, read_sweep
from orchestrator.sweep_file.yaml_file import parse_yaml

LEAST = "system: cyclegan\ndata: {uri: x, image: 64}\nsteps: 20k\n"
FULL = """
name: line-to-colour
system: cyclegan
preset: log
data: {uri: shards, image: 64, batch: 16, replicas: 4, augment: {flip: false, jitter: 1}, cache: {memory: 1GiB}}
steps: 20_000
seed: 7
weights: {idt: 0}
hyper: {width: 32, blocks: null}
balance: {critic_turns: 2, target_accuracy: 0.8}
search:
  weights.cyc: {log_uniform: [1.0e-3, 1e2]}
trials: 16
searcher: random
scheduler: {asha: {grace: 0.15, reduction: 3}}
stop: {collapse: on, no_gain: {for: 0.3}}
objective: {metric: eval/l1, mode: min, also: [eval/diversity]}
constraints: [eval/ssim >= 0.5]
seeds: 2
finalists: {settings: 1, seeds: 3}
warm_start: earlier
task: reader
evaluation: {samples: 64, draws: 4}
budget: {failures: 0, wall: 6h}
every: {report: 100, evaluate: 2_000, checkpoint: 1_000}
on_nonfinite: skip
resources: {workers: [1, 4], cpus_per_worker: 0.5, gpus_per_worker: auto, threads: 1, cpu_capability: avx2}
keep: {last: 3, best: 0}
precision: fp32
compile: true
graphs: false
recompute: false
layout: channels_last
exact: false
storage: runs
cluster: local
metrics: {port: 9500, host: 0.0.0.0}
"""


def read(text):
    return read_sweep(parse_yaml(text, "sweep.yaml"), "sweep.yaml")


def lines(text):
    with pytest.raises(Refusal) as caught:
        read(text)
    return caught.value.lines()


def test_every_key_is_read():
    sweep = read(FULL)
    assert (sweep.steps, sweep.data.cache.memory, sweep.budget.wall, sweep.budget.failures) == (
        20_000,
        2**30,
        21_600,
        0,
    )
    assert (sweep.resources.least_workers, sweep.resources.most_workers) == (1, 4)
    assert sweep.search == {"weights.cyc": LogUniform(0.001, 100)}
    assert sweep.scheduler.asha is not None
    assert sweep.stop.no_gain is not None and sweep.stop.no_gain.share == 0.3
    assert sweep.constraints == [("eval/ssim", ">=", 0.5)]
    assert sweep.hyper == {"width": 32, "blocks": None}
    assert sweep.model_fields_set == set(type(sweep).model_fields) - {"code"}, "which no file has"


def test_most_keys_may_be_left_out():
    sweep = read(LEAST)
    assert (sweep.steps, sweep.trials, sweep.data.batch, sweep.every.report) == (20_000, 1, "auto", "auto")


@pytest.mark.parametrize(("word", "has"), [("none", False), ("asha", True), ("{asha: {grace: 0.5}}", True)])
def test_a_scheduler_may_be_named_by_one_word(word, has):
    assert bool(read(LEAST + f"scheduler: {word}").scheduler.asha) is has


@pytest.mark.parametrize(
    ("more", "line"),
    [
        # Unknown keys, at any depth.
        ("trails: 3", "trails: unknown key 'trails'; nearest: trials"),
        ("Trials: 3", "Trials: unknown key 'Trials'; nearest: trials"),
        (
            "balance: {lr_ration: 2}",
            "balance.lr_ration: unknown setting 'lr_ration'; nearest: lr_ratio; has: lr_ratio, ",
        ),
        ("every: {save: 3}", "every.save: unknown key 'save'; has: report, evaluate, checkpoint"),
        ("scheduler: {asha: {grase: 1}}", "scheduler.asha.grase: unknown key 'grase'; nearest: grace"),
        ("scheduler: {hyperband: {}}", "scheduler.hyperband: unknown key 'hyperband'; has: asha, halving, median, pbt"),
        (
            "budget: {money: 3}",
            "budget.money: unknown key 'money'; has: failures, stall, wall, gpu_hours, cpu_hours, cost, price_per_gpu_hour",
        ),
        # Values of the wrong kind.
        ("trials: many", "trials: must be a whole number of at least 1 (such as 20_000 or 20k), not 'many'"),
        ("trials: 0", "trials: must be a whole number of at least 1 (such as 20_000 or 20k), not 0"),
        ("trials: 2.5", "trials: must be a whole number of at least 1 (such as 20_000 or 20k), not 2.5"),
        ("trials:", "trials: must be a whole number of at least 1 (such as 20_000 or 20k), not null"),
        ("trials: true", "trials: must be a whole number of at least 1 (such as 20_000 or 20k), not true"),
        ("exact: yes", "exact: must be true or false, not 'yes'"),
        ("seed: -1", "seed: must be a whole number from 0 to 2**63 - 1, not -1"),
        ("seed: 1.5", "seed: must be a whole number from 0 to 2**63 - 1, not 1.5"),
        ("name: 3", "name: must be a word, not 3"),
        ("name: a b", "name: must be letters, digits, dots and dashes, at most 63, not 'a b'"),
        ("weights: [1]", "weights: must be a mapping of `key: value` lines, not [1]"),
        ("weights: {cyc: ten}", "weights.cyc: must be a number, not 'ten'"),
        ("weights: {cyc: .inf}", "weights.cyc: must be a number, not inf"),
        ("weights: {cyc: -1}", "weights.cyc: a weight must be at least 0, not -1"),
        ("hyper: {width: [1]}", "hyper.width: must be a single value, not [1]"),
        ("balance: {critic_turns: 1.5}", "balance.critic_turns: must be a whole number, not 1.5"),
        ("balance: {critic_turns: 0}", "balance.critic_turns: must be at least 1, not 0"),
        ("balance: {target_accuracy: 2}", "balance.target_accuracy: must be at most 1, not 2"),
        ("budget: {wall: 6}", "budget.wall: must be a time with its unit (such as 45m, 6h or 1h30m), not 6"),
        (
            "budget: {failures: -1}",
            "budget.failures: must be a whole number of at least 0 (such as 20_000 or 20k), not -1",
        ),
        ("scheduler: {asha: {grace: 0}}", "scheduler.asha.grace: must be greater than 0, not 0"),
        ("scheduler: {asha: {grace: 15}}", "scheduler.asha.grace: must be at most 1, not 15"),
        ("scheduler: {asha: {reduction: 1}}", "scheduler.asha.reduction: must be at least 1.1, not 1"),
        (
            "scheduler: bohb",
            "scheduler: must be one of none, asha, halving, median, pbt, or such as {asha: {grace: 0.15, reduction: 3}}, "
            "not 'bohb'",
        ),
        ("scheduler: {asha: {}, pbt: {}}", "scheduler: must be one scheduler, not asha and pbt"),
        ("scheduler: {pbt: {quantile: 0.6}}", "scheduler.pbt.quantile: must be at most 0.5, not 0.6"),
        ("scheduler: {pbt: {factor: 1}}", "scheduler.pbt.factor: must be greater than 1, not 1"),
        ("budget: {gpu_hours: 0}", "budget.gpu_hours: must be at least 1e-06, not 0"),
        ("budget: {wall: 0s}", "budget.wall: must be longer than 0 s, not '0s'"),
        (
            "constraints: [eval/l1 < 3]",
            "constraints.0: must be a score, <= or >=, and a number, such as eval/l1 <= 0.3, not 'eval/l1 < 3'",
        ),
        ("stop: {critic_won: {for: 2}}", "stop.critic_won.for: must be at most 1, not 2"),
        ("stop: {critic_won: {fro: 0.2}}", "stop.critic_won.fro: unknown key 'fro'; nearest: for"),
        ("seeds: 0", "seeds: must be a whole number of at least 1 (such as 20_000 or 20k), not 0"),
        ("finalists: {settings: -1}", "finalists.settings: must be a whole number of at least 0"),
        ("resources: {workers: 3}", "resources.workers: must be a power of two, not 3; nearest: 2 or 4"),
        ("resources: {workers: auto}", "resources.workers: must be a whole number of at least 1"),
        ("resources: {gpus_per_worker: -1}", "resources.gpus_per_worker: must be at least 0, not -1"),
        (
            "storage: s3://bucket/x?endpiont=http://h",
            "storage: s3://bucket/x: no option is called 'endpiont'; nearest: endpoint",
        ),
        ("storage: gs://bucket/x", "storage: gs://bucket/x: "),
        ("metrics: {port: 70000}", "metrics.port: must be auto, 0 for none, or a port up to 65535, not 70000"),
        ("metrics: {port: true}", "metrics.port: must be auto, 0 for none, or a port up to 65535, not true"),
        (
            "metrics: {host: head}",
            "metrics.host: must be auto or an address of the machine, such as 0.0.0.0, not 'head'",
        ),
        ("metrics: {prot: 1}", "metrics.prot: unknown key 'prot'; nearest: port"),
        ("storage: 3", "storage: must be a folder or s3://bucket/prefix, not 3"),
        # Words that are none of those possible.
        ("precision: fp16", "precision: cannot be 'fp16'; nearest: bf16; has: auto, fp32, tf32, bf16"),
        ("searcher: bayes", "searcher: cannot be 'bayes'; has: grid, random, optuna"),
        ("on_nonfinite: retry", "on_nonfinite: cannot be 'retry'; has: stop, skip, rollback"),
        ("keep: {last: 0}", "keep.last: must be a whole number of at least 1 (such as 20_000 or 20k), not 0"),
        ("budget: {stall: 5}", "budget.stall: must be a time with its unit"),
        ("budget: {stall: 1s}", "budget.stall: must be at least 10 s, not '1s': the start of a worker counts as well"),
        (
            "resources: {cpu_capability: sse}",
            "resources.cpu_capability: cannot be 'sse'; has: auto, default, avx2, avx512",
        ),
        ("resources: {placement: packed}", "resources.placement: cannot be 'packed'; nearest: pack; has: pack, spread"),
        (
            "resources: {interface: 'eth 0'}",
            "resources.interface: must be the name of a network interface, such as eth0 or ib0, not 'eth 0'",
        ),
        ("resources: {workers: [4, 1]}", "resources.workers: the least comes first: [1, 4], not [4, 1]"),
        ("resources: {workers: [1, 3]}", "resources.workers: must be a power of two, not 3; nearest: 2 or 4"),
        ("resources: {workers: [2]}", "resources.workers: must be a number or [least, most], not [2]"),
        (
            "cluster: head:8265",
            "cluster: must be local, http://HEAD:8265 or kubernetes: {image: ...}, not 'head:8265'",
        ),
        (
            "cluster: http://me:word@head:8265",  # pragma: allowlist secret
            "cluster.address: holds credentials; the token comes from RAY_AUTH_TOKEN",
        ),
        ("cluster: {kubernets: {image: x}}", "cluster.kubernets: unknown key 'kubernets'; nearest: kubernetes"),
        ("cluster: {kubernetes: {}}", "cluster.kubernetes.image: required key is missing"),
        (
            "objective: {metric: eval/l1, mode: mni}",
            "objective.mode: cannot be 'mni'; nearest: min; has: auto, min, max",
        ),
        ("objective: [eval/l1]", "objective: must be a mapping of `key: value` lines, not ['eval/l1']"),
        ("objective: eval/l1", "objective: must be a mapping, such as {metric: eval/l1}, not 'eval/l1'"),
        ("objective: {mode: min}", "objective.metric: required key is missing"),
        # Search axes.
        (
            "search: {weights.cyc: [1, 2]}",
            "search.weights.cyc: must be a distribution, such as {uniform: [1, 9]}, not [1, 2]",
        ),
        (
            "search: {weights.cyc: {uniform: [2, 1]}}",
            "search.weights.cyc: uniform must go from the lower to the higher",
        ),
        ("steps: 3", "steps: key given twice, in line 3 and in line 4"),
    ],
)
def test_a_slip_is_told_in_one_line(more, line):
    (told,) = lines(LEAST + more)
    assert told.startswith(f"sweep.yaml: {line}")
    assert "\n" not in told


def test_every_slip_of_a_file_is_told():
    assert lines("sytem: cyclegan\ndata: {uri: 3, image: 64, bach: 4}\nsteps: x") == [
        "sweep.yaml: sytem: unknown key 'sytem'; nearest: system",
        "sweep.yaml: data.uri: must be a word, not 3",
        "sweep.yaml: data.bach: unknown key 'bach'; nearest: batch",
        "sweep.yaml: steps: must be a whole number of at least 1 (such as 20_000 or 20k), not 'x'",
    ]


def test_a_missing_key_is_told():
    assert lines("name: x") == [
        "sweep.yaml: system: required key is missing",
        "sweep.yaml: data: required key is missing",
        "sweep.yaml: steps: required key is missing",
    ]


def test_an_unknown_key_with_no_near_name_is_told_what_there_is():
    (told,) = lines(LEAST + "gradient: 1")
    assert told.startswith(
        "sweep.yaml: gradient: unknown key 'gradient'; has: name, system, preset, data, steps, seed, weights"
    )


def test_a_key_that_this_version_does_not_serve_is_unknown():
    (told,) = lines(LEAST + "stages: 1")
    assert "unknown key 'stages'" in told


def test_the_file_is_named_as_the_user_named_it(tmp_path):
    file = tmp_path / "my sweep.yaml"
    file.write_text(LEAST + "trials: 0")
    with pytest.raises(Refusal) as caught:
        load_sweep(file)
    assert str(caught.value).startswith(f"{file}: trials: ")
    assert (caught.value.path, caught.value.value) == ("trials", 0)
