"""What is tried of every system: its smallest settings, and further ones that must hold every promise too."""

from __future__ import annotations

from typing import Any

from trainers.settings import Balance

CLASSES = 3

# The smallest settings under which every part of a system is at work: pools fill and swap within a few steps.
TINY: dict[str, dict[str, Any]] = {
    "cyclegan": {"width": 4, "blocks": 1, "critic": "patch16", "critic_width": 4, "pool": 6},
    "pix2pix": {"width": 4, "levels": 3, "critic": "patch16", "critic_width": 4},
    "bicyclegan": {"latent": 3, "width": 4, "levels": 3, "encoder_width": 4, "critic": "patch16", "critic_width": 4},
    "cvae-gan": {"latent": 3, "width": 4, "levels": 3, "encoder_width": 4, "critic": "patch16", "critic_width": 4},
    "clr-gan": {"latent": 3, "width": 4, "levels": 3, "encoder_width": 4, "critic": "patch16", "critic_width": 4},
    "dcgan": {"latent": 4, "width": 4, "critic_width": 4},
    "wgan": {"latent": 4, "width": 4, "critic_width": 4},
    "began": {"latent": 4, "width": 4, "critic_width": 4},
    "cgan": {"latent": 4, "width": 4, "critic_width": 4, "embedding": 3, "classes": CLASSES},
    "balanced": {
        "width": 4,
        "blocks": 1,
        "critic": "patch16",
        "critic_width": 4,
        "pool": 6,
        "identity": True,
        "task_width": 4,
        "classes": CLASSES,
    },
    "classifier": {"width": 4, "classes": CLASSES},
    "segmenter": {"width": 4, "classes": CLASSES},
    "discogan": {"width": 4, "critic_width": 4, "warm_steps": 2, "weight_decay": 0.0},  # decay moves whom nothing moves
    "dualgan": {"width": 4, "levels": 3, "critic_width": 4},
    "distancegan": {"width": 4, "blocks": 1, "critic": "patch16", "critic_width": 4, "pool": 6, "warm_steps": 2},
    "ost": {"width": 4, "blocks": 2, "unshared": 1, "critic": "patch16", "critic_width": 4, "pool": 6},
    "ost:first": {"width": 4, "blocks": 2, "unshared": 1, "critic": "patch16", "critic_width": 4, "pool": 6},
    "stackgan": {
        "latent": 4,
        "width": 4,
        "critic_width": 4,
        "vocabulary": 9,
        "embedding": 4,
        "condition": 3,
        "first_image": 16,
        "second_width": 2,
        "blocks": 1,
    },
    "stackgan:first": {"latent": 4, "width": 4, "critic_width": 4, "vocabulary": 9, "embedding": 4, "condition": 3},
    "unit": {"width": 4, "blocks": 1, "critic_width": 4, "critic_layers": 2, "scales": 2, "weight_decay": 0.0},
    "augmented-cyclegan": {
        "latent": 3,
        "width": 4,
        "blocks": 1,
        "encoder_width": 4,
        "critic": "patch16",
        "critic_width": 4,
    },
    "cogan": {"latent": 4, "width": 4, "critic_width": 4},
    "munit": {
        "width": 4,
        "blocks": 1,
        "style": 3,
        "mlp": 8,
        "critic_width": 4,
        "critic_layers": 2,
        "scales": 2,
        "weight_decay": 0.0,
    },
    # The slope of its critic, which has no norm, is finite where a picture is not.
    "stargan": {
        "width": 4,
        "blocks": 1,
        "critic_width": 4,
        "halvings": 3,
        "classes": CLASSES,
        "penalty": "none",
    },
    "pix2pixhd": {
        "width": 4,
        "halvings": 2,
        "blocks": 1,
        "enhancers": 1,
        "local_blocks": 1,
        "critic_width": 4,
        "critic_layers": 2,
        "classes": CLASSES,
    },
    "simgan": {
        "width": 4,
        "blocks": 1,
        "critic_width": 12,
        "pool": 12,
        "refiner_turns": 1,
        "lr": 0.03,
        "critic_alone": 0,
    },
    "simgan:first": {"width": 4, "blocks": 1, "lr": 0.03},
    "dtn": {"width": 4, "critic_width": 4, "task_width": 4, "classes": CLASSES},
    "bigan": {"width": 4, "blocks": 1, "critic": "patch16", "critic_width": 4},
}
# The variants that are killed, and go on with another number of workers, at random moments.
DISTURBED = (
    "cyclegan",
    "cyclegan-vanilla-ema",
    "pix2pix",
    "pix2pix-batchnorm-gan",
    "pix2pix-encdec-channels-last",
    "cyclegan-balance",
    "pix2pix-skip",
    "cyclegan-began",
    "bicyclegan",
    "distancegan",
    "wgan",
)
# Further settings that must hold every promise too.
VARIANTS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    **{name: (name, {}, {}) for name in TINY},
    "cyclegan-vanilla-ema": ("cyclegan", {"gan": "vanilla", "ema": 0.9, "identity": False}, {"ema": 0.9}),
    "pix2pix-batchnorm-gan": ("pix2pix", {"norm": "batch", "conditional": False, "critic": "pixel"}, {}),
    "pix2pix-encdec-channels-last": ("pix2pix", {"generator": "encdec"}, {"layout": "channels_last"}),
    "cyclegan-balance": (
        "cyclegan",
        {"smoothing": 0.1},
        {
            "balance": Balance(
                critic_turns=1, target_accuracy=0.6, most_turns=3, lr_ratio=0.5, warmup_turns=2, warmup_steps=2
            )
        },
    ),
    "cyclegan-began": ("cyclegan", {"gan": "began", "critic": "autoencoder"}, {}),
    "cyclegan-wgan-lp": ("cyclegan", {"gan": "wgan", "penalty": "lp"}, {}),
    "cyclegan-hinge-gp-sum": ("cyclegan", {"gan": "hinge", "penalty": "gp", "penalty_patches": "sum"}, {}),
    "pix2pix-wgan-clip-skip": (
        "pix2pix",
        {"gan": "wgan", "clip": 0.01, "optimizer": "rmsprop"},
        {"on_nonfinite": "skip", "bad": (2, 1)},
    ),
    "pix2pix-minimax-noise": ("pix2pix", {"gan": "minimax", "noise": 3}, {}),
    "pix2pix-skip": ("pix2pix", {}, {"on_nonfinite": "skip", "bad": (2, 1)}),
    "balanced-frozen-as-printed": ("balanced", {"task_net": "frozen", "lp_interp": "source", "identity": False}, {}),
    "classifier-a": ("classifier", {"domain": "a"}, {}),
    "segmenter-a": ("segmenter", {"domain": "a"}, {}),
    "bicyclegan-wgan-lp-conditional": ("bicyclegan", {"gan": "wgan", "penalty": "lp", "conditional": True}, {}),
    "bicyclegan-conv-batchnorm": (
        "bicyclegan",
        {"encoder": "conv", "norm": "batch", "dropout": 0.5, "where": "input", "latent_moves_encoder": True},
        {},
    ),
    "dcgan-tricks": (
        "dcgan",
        {
            "latent_kind": "spherical",
            "smoothing": 0.1,
            "upsample": "pixel_shuffle",
            "downsample": "average",
            "generator_norm": "instance",
        },
        {},
    ),
    "wgan-gp-controller": (
        "wgan",
        {"optimizer": "adam", "beta1": 0.0, "clip": None, "norm": "none", "penalty": "gp", "upsample": "nearest"},
        {"balance": Balance(critic_turns=2, target_accuracy=0.7, most_turns=3)},
    ),
    "ost-two-way-b": (
        "ost",
        {
            "one": "b",
            "cycle": "two_way",
            "selective": "none",
            "gan_one": True,
            "gan_many": False,
            "unshared": 2,
            "penalty": "gp",
        },
        {},
    ),
    "ost-frozen": ("ost", {"cycle": "none", "freeze_shared": True, "selective": "a_only", "noise": 0.0}, {}),
    "discogan-instance-gp-decay": ("discogan", {"norm": "instance", "penalty": "gp", "weight_decay": 1e-5}, {}),
    "dualgan-clip-batchnorm": ("dualgan", {"penalty": "none", "clip": 0.01, "norm": "batch"}, {}),
    "distancegan-one-sided-self": ("distancegan", {"sides": "ab", "distance": "self", "self_axis": "height"}, {}),
    "distancegan-plain-cycle-lp": ("distancegan", {"normalised": False, "cycle": True, "penalty": "lp"}, {}),
    "distancegan-discogan-cycle": ("distancegan", {"architecture": "discogan", "gan": "vanilla", "cycle": True}, {}),
    "unit-shared-gp-decay": ("unit", {"blocks": 2, "share_layers": 1, "penalty": "gp", "weight_decay": 1e-4}, {}),
    "munit-cycle-lp-decay": ("munit", {"cycle": True, "penalty": "lp", "weight_decay": 1e-4}, {}),
    "cogan-one-tied-gp": ("cogan", {"tied": 1, "tied_critic": 1, "norm": "instance", "penalty": "gp"}, {}),
    "augmented-cyclegan-instance-lp": ("augmented-cyclegan", {"norm": "instance", "penalty": "lp"}, {}),
    "stackgan-instance-lp": ("stackgan", {"norm": "instance", "generator_norm": "instance", "penalty": "lp"}, {}),
    "stackgan-first-hinge-gp": ("stackgan:first", {"gan": "hinge", "norm": "none", "penalty": "gp"}, {}),
    "cgan-plain-lp": ("cgan", {"matching": False, "norm": "instance", "penalty": "lp"}, {}),
    "cgan-attributes": ("cgan", {"labels": "attributes"}, {}),
    "cgan-domain-gp": ("cgan", {"labels": "domain", "classes": 2, "norm": "instance", "penalty": "gp"}, {}),
    "stargan-attributes-gp": ("stargan", {"labels": "attributes", "penalty": "gp"}, {}),
    "stargan-domain-lsgan-lp": (
        "stargan",
        {"labels": "domain", "gan": "lsgan", "penalty": "lp", "penalty_patches": "mean"},
        {},
    ),
    "pix2pixhd-in-parts": ("pix2pixhd", {"global_share": 1 / 6, "local_share": 1 / 6}, {}),
    "pix2pixhd-label-maps-lp": ("pix2pixhd", {"input": "label_map", "enhancers": 0, "penalty": "lp"}, {}),
    "simgan-colour-turns-skip": (
        "simgan",
        {"psi": "colour", "reduction": "mean", "refiner_turns": 2, "critic_alone": 1},
        {"balance": Balance(critic_turns=2), "on_nonfinite": "skip", "bad": (2, 1)},
    ),
    "simgan-features-gp": ("simgan", {"psi": "features", "penalty": "gp", "classes": CLASSES, "task_width": 4}, {}),
    "dtn-binary-lp": ("dtn", {"critic": "binary", "smooth": False, "penalty": "lp"}, {}),
    "dtn-batchnorm": ("dtn", {"norm": "batch"}, {}),
    "bigan-wgan-lp": ("bigan", {"gan": "wgan", "penalty": "lp"}, {}),
}
