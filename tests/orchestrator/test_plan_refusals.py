"""A sweep that does not fit its system, its data or a machine: each way is told in a line."""

from pathlib import Path

import pytest

from data_shards.store import open_store
from orchestrator.sweep_file.sweep import read_sweep

CYC = "search: {weights.cyc: {log_uniform: [1, 30]}}\ntrials: 4\n"
IDT = "search: {weights.idt: {uniform: [0, 1]}}\ntrials: 4\n"
L1 = "objective: {metric: eval/l1}\n"
OTHERWISE = L1 + "trials: 4\n"  # right, where a search is wrong


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("system: cycelgan", "system: unknown system 'cycelgan'; nearest: cyclegan; has: cyclegan, "),
        ("system: stylegan9000", "system: unknown system 'stylegan9000'; "),
        # Names of weights.
        (
            "weights: {cycl: 1}",
            "weights.cycl: unknown weight 'cycl' for cyclegan; nearest: cyc; has: adv_ab, adv_ba, cyc_a,",
        ),
        (
            "weights: {lamda_cyc: 1}",
            "weights.lamda_cyc: unknown weight 'lamda_cyc' for cyclegan; nearest: lambda_cyc;",
        ),
        ("system: pix2pix\nweights: {cyc: 1}", "weights.cyc: unknown weight 'cyc' for pix2pix; has: adv, l1, d"),
        (
            "weights: {cyc: 1, cyc_a: 2}",
            "weights.cyc_a: sets weights.cyc_a, which weights.cyc sets already; keep one of the two",
        ),
        (
            "weights: {alpha_2A: 1, lambda_cyc: 2}",
            "weights.lambda_cyc: sets weights.cyc_a, which weights.alpha_2A sets already; keep one of the two",
        ),
        (
            "weights: {cyc: 1}\n" + CYC + L1,
            "search.weights.cyc: sets weights.cyc_a, weights.cyc_b, which weights.cyc sets already",
        ),
        (
            "hyper: {identity: false}\nweights: {idt: 1}",
            "weights.idt: the term 'idt' does not exist with hyper.identity false; nearest: hyper.identity true; has: adv_ab,",
        ),
        # Hyper-parameters.
        ("hyper: {widht: 3}", "hyper.widht: unknown setting 'widht' for cyclegan; nearest: width; has: width, blocks,"),
        ("hyper: {width: wide}", "hyper.width: must be a whole number, not 'wide'"),
        ("hyper: {width: 1.5}", "hyper.width: must be a whole number, not 1.5"),
        ("hyper: {width: 0}", "hyper.width: must be at least 1, not 0"),
        ("hyper: {width: null}", "hyper.width: must be a whole number, not null"),
        ("hyper: {lr: .nan}", "hyper.lr: must be a number, not nan"),
        ("hyper: {beta1: 2}", "hyper.beta1: must be at most 0.999999, not 2"),
        ("hyper: {identity: 1}", "hyper.identity: must be true or false, not 1"),
        ("hyper: {gan: lsgna}", "hyper.gan: cannot be 'lsgna'; nearest: lsgan; has: "),
        # The search.
        (
            OTHERWISE + "search: {cyc: {choice: [1]}}",
            "search.cyc: cannot search 'cyc': a searched key is weights.X, hyper.X or balance.X",
        ),
        (
            OTHERWISE + "search: {weights.kl: {choice: [1]}}",
            "search.weights.kl: unknown weight 'kl' for cyclegan; has: adv_ab,",
        ),
        (
            OTHERWISE + "search: {weights.cyc: {uniform: [-1, 1]}}",
            "search.weights.cyc: a weight must be a number of at least 0, not -1.0",
        ),
        (
            OTHERWISE + "search: {weights.cyc: {choice: [1, x]}}",
            "search.weights.cyc: a weight must be a number of at least 0, not 'x'",
        ),
        (OTHERWISE + "search: {hyper.gan: {choice: [lsgan, wgna]}}", "search.hyper.gan: cannot be 'wgna'; "),
        (
            OTHERWISE + "search: {hyper.width: {uniform: [8, 16]}}",
            "search.hyper.width: takes whole numbers, so the search is int_uniform or choice, not uniform from 8 to 16",
        ),
        (
            OTHERWISE + "search: {hyper.depth: {choice: [1]}}",
            "search.hyper.depth: unknown setting 'depth' for cyclegan",
        ),
        (
            OTHERWISE + "search: {balance.critic_turn: {choice: [1]}}",
            "search.balance.critic_turn: unknown setting 'critic_turn'; nearest: ",
        ),
        (
            "trials: 8",
            "trials: 8 trials without a search would be the same training 8 times; add a search, or leave trials",
        ),
        (CYC.replace("4", "1") + L1, "trials: a search needs at least 2 trials: the first is the preset"),
        (
            CYC + L1 + "searcher: grid",
            "search.weights.cyc: a grid takes choices, not log-uniform from 1 to 30; list the values with choice, or",
        ),
        # The objective.
        (CYC, "objective: a search needs an objective, such as {metric: ...}; has: eval/l1, eval/psnr, eval/ssim,"),
        (
            CYC + "objective: {metric: loss/total}",
            "objective.metric: the weighted loss 'loss/total' cannot be an objective: the smallest weights would win; "
            "use an evaluation score or a raw term; has: eval/l1,",
        ),
        (CYC + "objective: {metric: loss}", "objective.metric: the weighted loss 'loss' cannot be an objective"),
        (
            CYC + "objective: {metric: loss/cyc_a}",
            "objective.metric: loss/cyc_a measures what weights.cyc weighs, and that is searched: the largest "
            "weight would win; has: eval/l1,",
        ),
        (
            CYC + "objective: {metric: loss/idt_a}",
            "objective.metric: loss/idt_a measures what weights.cyc weighs, and that is searched: the largest weight",
        ),
        (
            CYC + "objective: {metric: eval/cycle}",
            "objective.metric: eval/cycle measures what weights.cyc weighs, and that is searched: the largest weight",
        ),
        (
            IDT + "objective: {metric: eval/identity}",
            "objective.metric: eval/identity measures what weights.idt weighs, and that is searched",
        ),
        (
            CYC + "objective: {metric: eval/sim}",
            "objective.metric: unknown metric 'eval/sim' for cyclegan; nearest: eval/ssim",
        ),
        (
            CYC + "objective: {metric: eval/fid}",
            "objective.metric: unknown metric 'eval/fid' for cyclegan; nearest: eval/fid[task]; has: eval/l1,",
        ),
        (
            CYC + "objective: {metric: adv_ab}",
            "objective.metric: unknown metric 'adv_ab' for cyclegan; nearest: loss/adv_ab",
        ),
        (
            "system: pix2pix\nobjective: {metric: eval/cycle}",
            "objective.metric: unknown metric 'eval/cycle' for pix2pix; nearest: eval/style; has: eval/l1, eval/psnr, eval/ssim",
        ),
        (
            CYC + "objective: {metric: eval/ssim, mode: min}",
            "objective.mode: eval/ssim is better when higher: write max, not min",
        ),
        # Sizes.
        ("data: {replicas: 3}", "data.replicas: must be a power of two, not 3; nearest: 2 or 4"),
        ("data: {batch: 6, replicas: 4}", "data.batch: a batch of 6 cannot be shared by 4 replicas; nearest: 4 or 8"),
        ("data: {batch: 2, replicas: 4}", "data.batch: a batch of 2 cannot be shared by 4 replicas; nearest: 4"),
        (
            "data: {replicas: 2}\nresources: {workers: 4}",
            "resources.workers: 4 workers cannot share 2 replicas; at most 2, or data.replicas: 4",
        ),
        ("every: {evaluate: 2k}", "every.evaluate: 2000 is more than the 1000 steps of a training"),
        ("every: {report: 1001}", "every.report: 1001 is more than the 1000 steps of a training"),
        ("every: {checkpoint: 2k}", "every.checkpoint: 2000 is more than the 1000 steps of a training"),
        (
            CYC + L1 + "scheduler: asha\nevery: {evaluate: 1000}",
            "every.evaluate: asha decides at evaluations from step 150 on; every 1000 of 1000 steps leaves none "
            "before the end",
        ),
        (
            "data: {batch: 8}\nresources: {workers: 8}",
            "resources.cpus_per_worker: 8 x 1 CPUs are more than this machine's 4; lower resources.workers, or "
            "cpus_per_worker to 0.5",
        ),
        ("resources: {gpus_per_worker: 1}", "resources.gpus_per_worker: 1 x 1 GPUs are more than this machine's 0"),
        ("precision: tf32", "precision: tf32 needs a GPU, and the workers have none"),
        # The networks.
        ("data: {image: 50}", "data.image: "),
        ("system: pix2pix\ndata: {image: 100}", "data.image: "),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(refused, text, line):
    (told,) = refused(text)
    assert told.startswith(f"sweep.yaml: {line}")
    assert "\n" not in told


def test_an_image_size_that_the_network_cannot_take_is_told_with_the_nearest(refused):
    (told,) = refused("data: {image: 50}")
    assert (
        told == "sweep.yaml: data.image: 50 does not fit: the resnet generator needs a multiple of 4; nearest: 48 or 52"
    )
    (told,) = refused("system: pix2pix\ndata: {image: 100}")
    assert told.startswith("sweep.yaml: data.image: 100 does not fit: the U-Net needs a multiple of ")


def test_mistakes_of_several_kinds_are_told_together(refused, tmp_path):
    told = refused(f"weights: {{cycl: 1}}\ndata: {{uri: {tmp_path}/none, replicas: 8}}\nhyper: {{width: 0}}")
    assert [line.split(": ")[1] for line in told] == ["data.uri", "data.batch", "weights.cycl", "hyper.width"]


def test_missing_data_is_told(refused, tmp_path):
    (told,) = refused(f"data: {{uri: {tmp_path}/none}}")
    assert told.startswith(f"sweep.yaml: data.uri: {tmp_path}/none holds no shards (no manifest.parquet); ")
    (told,) = refused("data: {uri: 'gs://bucket/x'}")
    assert told.startswith("sweep.yaml: data.uri: gs://bucket/x: ")


def test_a_damaged_manifest_is_told(refused, tmp_path):
    (tmp_path / "manifest.parquet").write_bytes(b"no parquet")
    (told,) = refused(f"data: {{uri: {tmp_path}}}")
    assert told.startswith(f"sweep.yaml: data.uri: {tmp_path}/manifest.parquet is not a manifest")


def test_data_that_do_not_suit_the_system_are_told(refused, make_shards):
    (told,) = refused(f"data: {{uri: {make_shards(a=(3, 64, 64))}}}")
    assert told == "sweep.yaml: data.uri: cyclegan reads domain b, which toy does not have; has: a"
    unpaired = make_shards(paired=False)
    (told,) = refused(f"system: pix2pix\ndata: {{uri: {unpaired}}}")
    assert told == (
        "sweep.yaml: data.uri: pix2pix needs pairs, and toy has none to train on; unpaired pictures are for cyclegan, "
        "discogan, dualgan, distancegan, ost, unit, munit, cogan, augmented-cyclegan, simgan, dtn, bigan; `i2i-cluster shards "
        "build folder OUT --from DIR --paired` makes pairs of pictures of one name"
    )
    (told,) = refused(f"data: {{uri: {make_shards(train=0)}}}")
    assert told == "sweep.yaml: data.uri: cyclegan needs pictures of domain a, and toy has none to train on"
    (told,) = refused(f"data: {{uri: {unpaired}}}\n{CYC}{L1}")
    assert told.startswith(
        "sweep.yaml: objective.metric: eval/l1 needs the true counterpart of each validation picture, and toy has none"
    )
    assert told.endswith(
        "; has: eval/distance_correlation, eval/distance_correlation_halves, loss/adv_ab, loss/adv_ba, loss/d_a, loss/d_b"
    )
    (told,) = refused(f"data: {{uri: {make_shards(validation=0)}}}\n{CYC}{L1}")
    assert told.startswith(
        "sweep.yaml: objective.metric: eval/l1 needs validation pictures, and toy has none of domain a; "
        "make or index it again with a larger --validation; has: loss/"
    )


def test_channels_that_a_term_cannot_compare_are_told(refused, make_shards):
    (told,) = refused(f"data: {{uri: {make_shards(a=(1, 28, 28), b=(3, 28, 28))}}}")
    assert told.startswith("sweep.yaml: hyper.identity: ")


def test_a_searched_setting_that_fits_alone_but_not_here_is_told(refused):
    text = "search: {hyper.critic: {choice: [patch70, patch286]}}\nsearcher: grid\n"
    (told,) = refused(f"{text}{L1}data: {{image: 64}}")
    assert told.startswith("sweep.yaml: search.hyper.critic: patch286 needs an image of at least 96 pixels, not 64")


def test_a_limit_for_a_domain_that_is_not_read_is_told(refused):
    (told,) = refused("data: {limit: {c: 1}}")
    assert told == "sweep.yaml: data.limit.c: cyclegan reads no domain c; has: a, b"


def test_fewer_samples_than_a_batch_must_be_meant(refused, planned, make_shards):
    few = make_shards(train=3)
    (told,) = refused(f"data: {{uri: {few}, batch: 4}}")
    assert told == (
        "sweep.yaml: data.batch: a batch of 4 is more than the 3 training samples of a in toy; give a batch of at most 3, "
        "or data.limit.a: 3 to train on so few on purpose"
    )
    assert planned(f"data: {{uri: {few}, batch: 4, limit: {{a: 1, b: 3}}}}").data.train == {"a": 1, "b": 3}


def test_a_manifest_of_other_shards_is_told(refused, make_shards):
    folder = make_shards(named=2048)
    (told,) = refused(f"data: {{uri: {folder}}}")
    assert "has no 0.tar, which its manifest names: is it the manifest of another data set?" in told
    (folder / "0.tar").write_bytes(bytes(1024))
    (told,) = refused(f"data: {{uri: {folder}}}")
    assert "0.tar has 1,024 bytes, its manifest says 2,048: is it the manifest of another data set?" in told


def test_a_cache_too_small_for_one_shard_is_told(refused, make_shards, bucket):
    folder = make_shards(named=2_000_000)
    (folder / "0.tar").write_bytes(bytes(2_000_000))
    store = open_store(bucket)
    for name in ("0.tar", "manifest.parquet"):
        store.upload(name, folder / name)
    (told,) = refused(f"data: {{uri: '{bucket}', cache: {{limit: 1MB}}}}")
    assert told.startswith("sweep.yaml: data.cache.limit: 1MB cannot hold one shard of toy, which takes 2MB")


def test_a_cache_folder_must_be_one_of_this_machine(refused, values):
    (told,) = refused("data: {cache: {folder: 's3://bucket/x'}}")
    assert told.startswith("sweep.yaml: data.cache.folder: s3://bucket/x: ")
    assert (
        Path(read_sweep(values("data: {cache: {folder: here}}"), "sweep.yaml").data.cache.folder) == Path.cwd() / "here"
    )
