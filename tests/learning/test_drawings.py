"""They learn on OpenMoji's drawings: in minutes, by a score that is not their own critic's, against doing less.

Three seeds each; a gain counts where its 95 % interval over the seeds excludes 0.
"""

from tests.learning.laboratory import SEEDS, gain, mean
from tests.learning.reading import read_as_told
from tests.learning.tones import repainted

TONES, MATCH = 5, "eval/text_match"
KID, NEAREST, DIVERSITY = "eval/kid[task]", "eval/nearest_truth", "eval/diversity"
SMALL = {"width": 16, "critic": "patch16", "critic_width": 16}


def colouring(data, **more):
    """Line drawings to pictures of 32 pixels."""
    return {
        "system": "pix2pix",
        "data": {"uri": data, "image": 32, "batch": 16, "augment": {"jitter": 1.0}},
        "steps": 3000,
        "hyper": {**SMALL, "lr": 5.0e-4},
        "every": {"evaluate": 3000},
        **more,
    }


def test_pix2pix_colours_better_than_l1_alone(laboratory, colours, colour_reader, learnt):
    judged = {"task": colour_reader, "evaluation": {"samples": 600}, "objective": {"metric": KID}}
    found = laboratory.over_seeds("pix2pix-colours", colouring(colours, **judged))
    alone = laboratory.over_seeds("l1-colours", colouring(colours, preset="l1", **judged))
    gained = gain(found, alone, KID, -1.0)
    told = (
        f"OpenMoji's line drawings in colour at 32 pixels, 3,000 steps of 16: in the features of a network that names "
        f"colours, {found[0]['eval/samples']:.0f} coloured drawings are at a kernel distance (KID) of {mean(found, KID):.3f} "
        f"from the true ones, those of L1 alone (`preset: l1`) at {mean(alone, KID):.3f}. Gain {gained} (3 seeds, 95 % "
        "interval)."
    )
    learnt("pix2pix", told)
    assert gained.is_real, told


def test_bicyclegan_covers_the_skin_tones_of_a_drawing(laboratory, tones, learnt):
    judged = {"evaluation": {"samples": 600, "draws": 64}, "objective": {"metric": NEAREST}}
    longer = {"steps": 8000, "every": {"evaluate": 8000}}
    multimodal = {"encoder": "conv", "encoder_width": 16, "latent": 2, "lr": 1.0e-3}
    weights = {"l1": 50.0, "latent": 1.0, "kl": 0.02}
    sweep = colouring(tones, system="bicyclegan", hyper={**SMALL, **multimodal}, weights=weights, **judged, **longer)
    found = laboratory.over_seeds("bicyclegan-tones", sweep)
    one = laboratory.over_seeds("pix2pix-tones", colouring(tones, preset="noise", **judged, **longer))
    nearer, wider = gain(found, one, NEAREST, -1.0), gain(found, one, DIVERSITY)
    told = (
        f"OpenMoji's drawings that exist in five skin tones, at 32 pixels, 8,000 steps of 16: of 64 colourings of a drawing "
        f"the nearest to each true one is {mean(found, NEAREST):.4f} away (mean absolute difference, range 0 to 1) and they "
        f"differ by {mean(found, DIVERSITY):.3f} from one another; those of pix2pix with noise (`preset: noise`) "
        f"{mean(one, NEAREST):.4f} and {mean(one, DIVERSITY):.3f}. Gain {nearer} in nearness, {wider} in diversity (3 seeds, "
        "95 % interval)."
    )
    learnt("bicyclegan", told)
    assert nearer.is_real and wider.is_real, told


def test_stargan_changes_the_skin_tone_and_nothing_else(laboratory, five_tones, learnt):
    sweep = {
        "system": "stargan",
        "data": {"uri": five_tones, "image": 32, "batch": 16, "augment": {"jitter": 1.0}},
        "steps": 600,
        "hyper": {"width": 16, "blocks": 2, "critic_width": 16, "lr": 5.0e-4},
        "every": {"evaluate": 600},
        "objective": {"metric": "eval/reached"},
    }
    laboratory.over_seeds("stargan-tones", sweep)
    storage, shards = laboratory.folder / "i2i-runs", laboratory.folder / five_tones
    found = [repainted(storage, f"stargan-tones-{seed}", shards) for seed in SEEDS]
    nearer = gain([{"skin": one["skin_before"]} for one in found], found, "skin")
    kept = gain([{"gap": one["skin_before"]} for one in found], [{"gap": one["elsewhere"]} for one in found], "gap")
    told = (
        f"OpenMoji's people at 32 pixels, 600 steps of 16 (five moves of D each): asked for each of the four other skin tones of "
        f"people it never saw, {mean(found, 'right'):.1%} of the pictures have a skin that is nearest to the true picture in that "
        f"tone. On the skin they are {mean(found, 'skin'):.3f} from the true one (mean absolute difference, range 0 to 1), "
        f"{mean(found, 'skin_before'):.3f} before; everywhere else they change by {mean(found, 'elsewhere'):.3f}. Gain on the skin "
        f"{nearer} (3 seeds, 95 % interval)."
    )
    learnt("stargan", told)
    assert nearer.is_real and kept.is_real, told


def test_stackgan_s_pictures_match_their_texts(laboratory, told_tones, tone_reader, learnt):
    sweep = {
        "system": "stackgan",
        "data": {"uri": told_tones, "image": 32, "batch": 16, "augment": {"flip": False, "jitter": 1.0}},
        "steps": 2000,
        "hyper": {
            "first_image": 16,
            "first_steps": 2000,
            "first_batch": 32,
            "width": 16,
            "critic_width": 8,
            "condition": 16,
            "second_width": 32,
            "blocks": 1,
        },
        "weights": {"kl": 0.2, "kl_first": 0.2},
        "balance": {"target_accuracy": 0.7},
        "evaluation": {"draws": 2, "samples": 1000},
        "every": {"evaluate": 2000},
        "objective": {"metric": MATCH},
    }
    found = laboratory.over_seeds("stackgan-tones", sweep)
    storage, shards = laboratory.folder / "i2i-runs", laboratory.folder / told_tones
    read = [{"right": read_as_told(storage, f"stackgan-tones-{seed}", tone_reader, shards, seed)} for seed in SEEDS]
    beyond_chance = gain(found, [{MATCH: 0.5}] * len(SEEDS), MATCH)
    told = (
        "OpenMoji's people in five skin tones, by their names: stage I of 2,000 steps of 32 at 16 pixels, stage II of 2,000 of 16 "
        "at 32, `weights.kl` and `kl_first` 0.2, and critics that rest where they are right about more than 70 % (`balance: "
        "{target_accuracy: 0.7}`): a picture of a name that nobody trained on is "
        f"more like the true one of its name than like {mean(found, MATCH):.1%} of the others (`{MATCH}`), 50 % by chance. Gain "
        f"{beyond_chance} (3 seeds, 95 % interval). A classifier of tones reads {mean(read, 'right'):.1%} of them as the tone that "
        f"they were told, {1 / TONES:.0%} by chance."
    )
    learnt("stackgan", told)
    assert beyond_chance.is_real, told
