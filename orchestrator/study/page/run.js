// From the first word to the file.
const SECTIONS = ["intro", "trial", "told", "end"];
let unsaved = false;  // whether somebody would lose answers by closing the page

function turn(to) {
  for (const id of SECTIONS) at(id).hidden = id !== to;
  document.documentElement.dataset.at = to;
}

async function tell(title, more, button) {
  at("verdict").textContent = title;
  at("next-part").textContent = more;
  at("next").textContent = button;
  turn("told");
  at("next").focus();
  await new Promise((done) => { at("next").addEventListener("click", done, { once: true }); });
}

function told(one) {
  if (one.answer === right(one)) return `Right: the ${one.answer} one was the fake.`;
  return `Wrong: the ${right(one)} one was the fake.`;
}

function progress(one) {
  const [place, of] = one.part === "practice" ? [one.trial, study.practice] : [one.trial - study.practice, study.scored];
  at("progress").textContent = `${one.part === "practice" ? "Practice " : ""}${place} of ${of}`;
}

async function run() {
  const [code, answered] = [newCode(), []];
  for (const one of drawn(code)) {
    progress(one);
    turn("trial");
    answered.push(await show(one));
    unsaved = true;
    if (one.part === "practice") await tell(told(answered.at(-1)), "", "Next");
    if (study.practice && one.trial === study.practice) {
      await tell("That was the practice", `From now on your answers count, ${study.scored} of them, and nobody tells you whether they were right.`, "Go on");
    }
  }
  finish(code, sheet(code, answered));
}

function finish(code, text) {
  at("progress").textContent = "";
  at("code").textContent = code;
  at("answers").value = text;
  at("save").href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  at("save").download = `${study.study}-${code}.csv`;
  turn("end");
  document.querySelector("#end h2").focus();
}

at("save").addEventListener("click", () => { unsaved = false; });
at("copy").addEventListener("click", async () => {
  unsaved = false;
  try {
    await navigator.clipboard.writeText(at("answers").value);
    at("copy").textContent = "Copied";
  } catch {  // a page from a disk may not write there: what is selected can be copied by hand
    at("answers").focus();
    at("answers").select();
    at("copy").textContent = "Selected: copy it now";
  }
});
addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });

at("exposure").textContent = study.exposure === 1000 ? "for a second" : `for ${study.exposure / 1000} seconds`;
at("parts").textContent = study.practice
  ? `The first ${study.practice} are practice: you are told whether you were right. Then come ${study.scored} that count.`
  : `There are ${study.scored} of them.`;
at("start").addEventListener("click", () => run().catch((problem) => {
  turn("told");
  at("verdict").textContent = "This browser cannot show the pictures";
  at("next-part").textContent = String(problem);
  at("next").hidden = true;
  throw problem;  // for the console
}), { once: true });
fit();
turn("intro");
document.documentElement.dataset.ready = "yes";
