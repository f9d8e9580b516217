// Showing a picture for a time that is told by the frames of the screen, and waiting for an answer.
const at = (id) => document.getElementById(id);
const frame = () => new Promise((done) => { requestAnimationFrame(done); });
const SMALLEST = 256;  // CSS pixels: smaller pictures are enlarged, both alike

function fit() {  // the same room for every picture, on any screen, before anything is shown
  const width = Math.max(study.width, SMALLEST * Math.max(1, study.width / study.height));
  const ratio = study.width / study.height;
  at("frame").style.width = `min(${width}px, 100%, ${62 * ratio}vh)`;
  at("frame").style.aspectRatio = String(ratio);
  for (const id of ["first", "second"]) [at(id).width, at(id).height] = [study.width, study.height];
}

async function paint(id, address) {  // while it is hidden: nothing is left to be done when its time comes
  const image = new Image();
  image.src = address;
  await image.decode();
  at(id).getContext("2d").drawImage(image, 0, 0);
}

async function still(time) {
  const begun = await frame();
  let now = begun;
  while (now - begun < time) now = await frame();
}

async function seen(id, time) {  // [ms from the frame that shows it to the frame that does not, when that was]
  let before = await frame();
  const begun = await frame();
  at(id).classList.add("seen");
  let now = begun, step = begun - before;
  while (time - (now - begun) >= step / 2) {  // until no later frame is nearer to the time
    before = now;
    now = await frame();
    step = now - before;
  }
  at(id).classList.remove("seen");
  return [now - begun, now];
}

let answering = null;  // takes an answer while one is asked for

function answer(given, when) {
  const take = answering;
  answering = null;
  if (take) take([given, when]);
}

function asked() {  // [first or second, when]
  at("question").classList.remove("off");
  at("asks").focus({ preventScroll: true });  // not a button: a key pressed too early is no answer
  return new Promise((done) => { answering = done; });
}

async function show(one) {
  const [first, second] = one.first === "real" ? [one.real, one.fake] : [one.fake, one.real];
  await Promise.all([paint("first", first[1]), paint("second", second[1])]);
  await still(study.lead);
  const [firstSeen] = await seen("first", study.exposure);
  await still(study.gap);
  const [secondSeen, gone] = await seen("second", study.exposure);
  const [given, when] = await asked();
  at("question").classList.add("off");
  return { ...one, answer: given, reaction: Math.max(0, when - gone), seen: [firstSeen, secondSeen] };
}

const KEYS = new Map([["1", "first"], ["ArrowLeft", "first"], ["2", "second"], ["ArrowRight", "second"]]);
document.addEventListener("keydown", (event) => {
  const given = KEYS.get(event.key);
  if (!given || !answering || event.repeat || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  answer(given, event.timeStamp);
});
for (const given of ["first", "second"]) at(`answer-${given}`).addEventListener("click", (event) => answer(given, event.timeStamp));
