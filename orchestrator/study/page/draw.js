"use strict";
// What a participant is shown, and the rows of the answers. All that is drawn follows from the study and the participant's code.
const study = JSON.parse(document.getElementById("data").textContent);
const SIGNS = "abcdefghijkm" + "npqrstuvwxyz" + "23456789";  // 32, none like another
const COLUMNS = ["format", "study", "name", "participant", "trial", "trials", "part", "real", "fake", "first", "answer", "correct",
  "reaction_ms", "exposure_ms", "first_ms", "second_ms"];

function newCode() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => SIGNS[byte % SIGNS.length]).join("");
}

function mixed(number) {  // each bit of the result hangs on all bits of a number of 32
  let bits = number >>> 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

function numbersOf(text) {  // a function that gives numbers from 0 to below 1, the same for the same text
  let state = text.length;
  for (const sign of text) state = mixed(state + 0x9e3779b9 + sign.codePointAt(0));
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    return mixed(state) / 2 ** 32;
  };
}

function shuffled(things, number) {
  const left = [...things];
  for (let last = left.length - 1; last > 0; last -= 1) {
    const other = Math.floor(number() * (last + 1));
    [left[last], left[other]] = [left[other], left[last]];
  }
  return left;
}

function common(one, other) {  // their greatest common divisor
  return other ? common(other, one % other) : one;
}

function pairs(count, number) {  // places of a real and a fake picture; the same two meet again only when all have met
  const [reals, fakes] = [study.real, study.fake].map((side) => shuffled(side.keys(), number));
  if (study.paired) return reals.slice(0, count).map((place) => [place, place]);
  const [few, round] = [Math.min(reals.length, fakes.length), (reals.length * fakes.length) / common(reals.length, fakes.length)];
  const met = Array.from({ length: count }, (_, turn) => [reals[turn % reals.length], fakes[(turn + Math.floor(turn / round)) % fakes.length]]);
  const order = [];  // within so many turns no picture comes twice: they may come in any order
  for (let begin = 0; begin < count; begin += few) order.push(...shuffled(met.slice(begin, begin + few), number));
  return order;
}

function drawn(code) {
  const number = numbersOf(`${study.study}/${code}`);
  const all = pairs(study.practice + study.scored, number);
  return all.map(([real, fake], place) => ({
    trial: place + 1, part: place < study.practice ? "practice" : "scored", real: study.real[real], fake: study.fake[fake],
    first: number() < 0.5 ? "real" : "fake",
  }));
}

function right(one) {  // what is to be answered
  return one.first === "fake" ? "first" : "second";
}

function quoted(value) {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

function sheet(code, answered) {  // CSV
  const rows = answered.map((one) => [study.format, study.study, study.name, code, one.trial, study.practice + study.scored, one.part, one.real[0],
    one.fake[0], one.first, one.answer, one.answer === right(one) ? "yes" : "no", one.reaction.toFixed(1), study.exposure, one.seen[0].toFixed(1),
    one.seen[1].toFixed(1)]);
  return [COLUMNS, ...rows].map((row) => `${row.map(quoted).join(",")}\n`).join("");
}
