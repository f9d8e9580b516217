"""Published configurations by name: what `preset` means in a sweep file, and that every declared one is sound."""

import json

import pytest

from orchestrator.planning.known import known_settings
from orchestrator.planning.settings import preset
from orchestrator.sweep_file.draft import Draft
from orchestrator.sweep_file.fields import check_fields
from orchestrator.sweep_file.sweep import read_sweep
from orchestrator.systems.pages import searches
from trainers.settings import Balance, Preset, aliases
from trainers.systems.catalog import SYSTEMS
from trainers.systems.cyclegan import CycleGAN

EACH_SYSTEM = pytest.mark.parametrize("name", SYSTEMS)
EACH_PRESET = pytest.mark.parametrize(("name", "of"), [(n, p) for n, kind in SYSTEMS.items() for p in kind.presets])
STRANGE = Preset(
    "nobody's",
    weights={"cyc": 3.0, "adv_ab": 2.0},
    hyper={"width": 8, "lr": 1},
    balance={"critic_turns": 5, "lr_ratio": 0.25},
)
L1 = "objective: {metric: eval/l1}\n"


@pytest.fixture
def strange(monkeypatch):
    """A preset of cyclegan that sets something of each kind."""
    monkeypatch.setattr(CycleGAN, "presets", {"strange": STRANGE})


def test_a_preset_sets_weights_hyper_and_balance_and_leaves_the_rest(planned, strange):
    base, run = planned().run(0, {}), planned("preset: strange").run(0, {})
    assert run.weights == base.weights | {"cyc_a": 3.0, "cyc_b": 3.0, "adv_ab": 2.0}
    assert run.hyper == base.hyper | {"width": 8, "lr": 1.0}
    assert isinstance(run.hyper["lr"], float)
    assert run.balance == base.balance | {"critic_turns": 5, "lr_ratio": 0.25}


def test_what_the_sweep_itself_sets_wins(planned, strange):
    text = "preset: strange\nweights: {alpha_2A: 7}\nhyper: {width: 16}\nbalance: {critic_turns: 2}"
    run = planned(text).run(0, {})
    assert (run.weights["cyc_a"], run.weights["cyc_b"]) == (7.0, 3.0)
    assert (run.hyper["width"], run.hyper["lr"]) == (16, 1.0)
    assert (run.balance["critic_turns"], run.balance["lr_ratio"]) == (2, 0.25)


def test_trial_0_of_a_search_is_the_preset(planned, strange):
    axes = "{weights.cyc: {log_uniform: [1, 30]}, hyper.width: {choice: [4, 8]}, balance.lr_ratio: {choice: [1, 2]}}"
    plan = planned(f"preset: strange\nsearch: {axes}\ntrials: 3\n{L1}")
    assert plan.params(0) == {"weights.cyc": 3.0, "hyper.width": 8, "balance.lr_ratio": 0.25}
    drawn = plan.run(1, plan.params(1))
    assert drawn.weights["cyc_a"] == plan.params(1)["weights.cyc"] != 3.0
    assert (drawn.weights["adv_ab"], drawn.balance["critic_turns"]) == (2.0, 5), "what is not searched stays"


def test_a_preset_decides_which_terms_there_are(planned, refused):
    (told,) = refused("preset: without-identity\nweights: {idt: 1}")
    assert told.startswith(
        "sweep.yaml: weights.idt: the term 'idt' does not exist with hyper.identity false, as preset without-identity has it; "
        "nearest: hyper.identity true; has: adv_ab, adv_ba, cyc_a"
    )
    assert planned("preset: without-identity\nweights: {idt: 1}\nhyper: {identity: true}").preset.weights["idt_a"] == 1


def test_an_unknown_preset_is_refused_with_the_nearest(refused):
    assert refused("preset: without-identiti") == [
        "sweep.yaml: preset: unknown preset 'without-identiti' of cyclegan; nearest: without-identity; "
        "has: default, without-identity, log"
    ]
    assert refused("system: pix2pix\npreset: log")[0].startswith(
        "sweep.yaml: preset: unknown preset 'log' of pix2pix; has: default, l1, "
    )


def test_another_preset_is_another_sweep(planned, strange):
    plans = [planned(text) for text in ("", "preset: strange", "preset: default")]
    assert len({plan.id for plan in plans}) == 3, "as with every key: writing a default down makes another sweep"
    assert plans[1].identity["preset"] == "strange"
    assert plans[0].preset == plans[2].preset != plans[1].preset


SEARCHED = "search: {balance.lr_ratio: {choice: [0.5, 2]}}\ntrials: 3\n" + L1


@pytest.fixture
def shown(run, values, tmp_path):
    """shown("preset: x", "-o", "json"): what `plan` prints of the small sweep with these keys."""

    def show(text, *options):
        file = tmp_path / "sweep.yaml"
        file.write_text(json.dumps(values(text)))
        code, out, err = run("plan", file, "--no-measure", *options)
        assert (code, err) == (0, "")
        return out

    return show


def test_plan_names_the_preset(shown, strange):
    assert "preset            strange: nobody's" in shown("preset: strange")
    assert "preset            default: the paper's own settings" in shown("")
    told = json.loads(shown("preset: strange", "-o", "json"))
    assert told["preset"] == {"name": "strange", "meaning": "nobody's"}
    assert told["balance"]["critic_turns"] == 5


def test_plan_shows_the_ratio_of_rates_that_a_search_starts_from(shown, strange):
    (row,) = json.loads(shown(SEARCHED, "-o", "json"))["search"]
    assert row["preset"] == 1.0, "cyclegan's critics learn as fast as its generators"
    (row,) = json.loads(shown("preset: strange\n" + SEARCHED, "-o", "json"))["search"]
    assert row["preset"] == 0.25
    assert "as published" not in shown(SEARCHED)


@EACH_PRESET
def test_every_declared_preset_is_one_that_a_sweep_could_write(name, of):
    kind, chosen = SYSTEMS[name], SYSTEMS[name].presets[of]
    assert chosen.meaning and (chosen.weights or chosen.hyper or chosen.balance), "it says what it is, and differs"
    assert of != "default" and of == of.lower()
    assert set(chosen.weights) <= set(aliases(kind.terms))
    assert all(weight >= 0 for weight in chosen.weights.values())
    assert check_fields(kind.Hyper, chosen.hyper, "hyper", name) == []
    assert check_fields(Balance, chosen.balance, "balance") == []
    sweep = read_sweep({"system": name, "preset": of, "data": {"uri": "x", "image": 256}, "steps": 10}, "")
    assert known_settings(kind, Draft(sweep)).found == ()
    settings = preset(kind, sweep)
    default = preset(kind, sweep.model_copy(update={"preset": "default"}))
    assert settings != default, "a preset that changes nothing is none"
    hyper = kind.Hyper(**settings.hyper)
    kind.check(dict.fromkeys(kind.reading(hyper).domains, (3, 256, 256)), hyper)
    in_force = {term.name for term in kind.terms if term.exists(hyper)}
    written = {term for key in chosen.weights for term in aliases(kind.terms)[key]}
    assert written <= in_force, "a weight of a term that the preset leaves out"


@EACH_SYSTEM
def test_the_defaults_fit_every_system(name):
    kind = SYSTEMS[name]
    assert check_fields(kind.Hyper, vars(kind.Hyper()), "hyper", name) == []
    assert check_fields(Balance, vars(kind.balance), "balance") == []
    image = 256 if any(stage.image(kind.Hyper()) for stage in kind.stages) else 64  # twice from stage to stage
    kind.check(dict.fromkeys(kind.reads.domains, (3, image, image)), kind.Hyper())


@EACH_SYSTEM
def test_what_is_worth_searching_surrounds_the_default(name):
    names = [term.name for term in SYSTEMS[name].terms]
    assert len(set(names)) == len(names)
    for term in SYSTEMS[name].terms:
        assert term.weight >= 0 and term.symbol and term.meaning
        if term.search:
            low, high = term.search
            assert 0 < low < high
            assert low <= term.weight <= high or term.weight == 0, f"{term.name}: a default of 0 is off a log scale"


@EACH_SYSTEM
def test_the_search_that_a_page_proposes_can_be_searched(name):
    axes = {axis: {"log_uniform": list(spread)} for axis, spread in searches(SYSTEMS[name]).items()}
    values = {"system": name, "data": {"uri": "x", "image": 64}, "steps": 10, "search": axes, "trials": 2}
    assert known_settings(SYSTEMS[name], Draft(read_sweep(values, ""))).found == ()
