"""An arithmetic that a machine has not, or must not use: told in one line before anything starts."""

from orchestrator.planning.sizes import Machine

LACKS = {"bf16": "no units", "compile": "no g++"}


def test_what_is_compiled_is_not_computed_again_too(refused, planned):
    (told,) = refused("compile: true\nrecompute: true", machine=Machine(4, 0))
    assert told.startswith("sweep.yaml: recompute: compiled networks decide themselves what they keep")
    assert told.endswith("leave one of the two out")
    assert planned("recompute: true").run(0, {}).recompute is True


def test_computing_again_is_no_other_sweep(planned):
    assert (
        planned("recompute: true").id == planned("recompute: false").id == planned("").id != planned("compile: true").id
    )


def test_what_has_no_compiler_compiles_nothing(refused, planned):
    (told,) = refused("compile: true", machine=Machine(4, 0, lacks=LACKS))
    assert told == "sweep.yaml: compile: torch compiles with a C++ compiler, and this machine has no g++"
    assert planned("compile: true").run(0, {}).compile is True


def test_cuda_graphs_ask_for_compiled_networks_and_a_gpu(refused, planned):
    (told,) = refused("graphs: true", machine=Machine(4, 1))
    assert told == "sweep.yaml: graphs: CUDA graphs are of compiled networks; add compile: true"
    (told,) = refused("compile: true\ngraphs: true", machine=Machine(4, 0))
    assert told == "sweep.yaml: graphs: CUDA graphs need a GPU, and the workers have none"
    plan = planned("compile: true\ngraphs: true", machine=Machine(4, 1))
    assert plan.run(0, {}).graphs is True and plan.id != planned("compile: true").id


def test_bf16_is_refused_where_the_cpus_are_known_to_lack_it(refused, planned):
    (told,) = refused("precision: bf16", machine=Machine(cpus=4, gpus=0, lacks=LACKS))
    assert told.endswith(
        "bf16 needs a GPU or a CPU that multiplies in it, and this machine has no units; nearest: fp32"
    )
    for able in (Machine(4, 0), Machine(4, 1, lacks=LACKS)):
        assert planned("precision: bf16", machine=able).sizes.precision == "bf16"


def test_an_instruction_set_without_bf16_units_is_refused_beside_it(refused):
    (told,) = refused("precision: bf16\nresources: {cpu_capability: avx512}", machine=Machine(4, 0))
    assert told == (
        "sweep.yaml: precision: bf16 needs resources.cpu_capability: auto; avx512 leaves the CPU's bf16 units out"
    )
