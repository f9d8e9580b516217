// Two trials side by side, at the step of the slider or the last one before it.
if (at("picture-step")) {
  const slider = at("picture-step");
  const of = new Map(data.pictures.map((one) => [String(one.trial), one]));
  const sides = ["left", "right"];

  function steps() {
    const shown = sides.flatMap((side) => of.get(at(`picture-${side}`).value)?.steps.map(([step]) => step) ?? []);
    return [...new Set(shown)].sort((one, other) => one - other);
  }

  function show(side, step) {
    const [trial, image, told] = [of.get(at(`picture-${side}`).value), at(`picture-${side}-image`), at(`picture-${side}-step`)];
    const found = trial?.steps.filter(([other]) => other <= step).pop();
    image.hidden = !found;
    told.textContent = found ? `at step ${found[0]}` : trial ? "no picture up to this step" : "";
    if (found && image.dataset.shown !== `${trial.trial} ${found[0]}`) {
      image.src = found[1];
      image.alt = `Sample grid of ${trial.label} at step ${found[0]}: a row for each stage of the translation, a column for each sample`;
      image.dataset.shown = `${trial.trial} ${found[0]}`;
    }
  }

  function update() {
    const step = steps()[slider.value] ?? 0;
    at("picture-shown").textContent = `step ${step}`;
    slider.setAttribute("aria-valuetext", `step ${step}`);
    sides.forEach((side) => show(side, step));
  }

  function reset() {  // to the end: what came out
    const count = steps().length;
    slider.max = Math.max(0, count - 1);
    slider.value = slider.max;
    slider.disabled = count < 2;
    update();
  }

  const options = data.pictures.map((one) => [one.trial, one.label]);
  fill(at("picture-left"), options, data.pictures[0].trial);
  fill(at("picture-right"), [["", "nothing"], ...options], data.pictures.find((one) => one.preset && one !== data.pictures[0])?.trial ?? "");
  sides.forEach((side) => at(`picture-${side}`).addEventListener("change", reset));
  slider.addEventListener("input", update);
  reset();
}
