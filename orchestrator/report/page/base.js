"use strict";
// What the other scripts share. Texts of the data go into the page as text alone, and into charts through `plain`.
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const listeners = [];  // called when a setting is highlighted, or the colours change
let highlighted = null;

document.documentElement.classList.add("scripted");

function plain(text) {  // charts read a little HTML in their texts
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

function wrapped(text, most = 60) {  // a hover text has no width of its own
  return plain(String(text).replace(new RegExp(`(.{1,${most}})(\\s+|$)|(.{${most}})`, "g"), "$1$3\n").trim()).replace(/\n/g, "<br>");
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function mixed(share) {  // from weak (0) to strong (1)
  const parts = (name) => [1, 3, 5].map((place) => parseInt(colour(name).slice(place, place + 2), 16));
  const [weak, strong] = [parts("weak"), parts("strong")];
  return `rgb(${weak.map((part, place) => Math.round(part + (strong[place] - part) * share)).join(",")})`;
}

function number(value) {
  return value === null || value === undefined ? "none" : String(Number(value.toPrecision(6)));
}

function fill(select, options, chosen) {
  for (const [value, text] of options) {
    const option = document.createElement("option");
    option.value = value;
    option.textContent = text;
    select.append(option);
  }
  if (chosen !== undefined) select.value = chosen;
}

function isPale(setting) {  // whether another one is highlighted
  return highlighted !== null && setting !== highlighted;
}

function layout(more) {
  const axis = { gridcolor: colour("grid"), zerolinecolor: colour("grid"), linecolor: colour("line"), automargin: true };
  const touch = matchMedia("(pointer: coarse)").matches;
  const made = {
    paper_bgcolor: colour("ground"), plot_bgcolor: colour("ground"), font: { color: colour("text"), size: 13, family: "inherit" },
    margin: { l: 60, r: 16, t: 16, b: 44 }, hovermode: "closest", dragmode: touch ? false : "zoom", showlegend: false, ...more,
  };
  made.xaxis = { ...axis, ...more.xaxis };
  made.yaxis = { ...axis, ...more.yaxis };
  made.hoverlabel = { bgcolor: colour("raised"), bordercolor: colour("line"), font: { color: colour("text") }, align: "left" };
  return made;
}

function draw(id, traces, more) {
  return Plotly.react(at(id), traces, layout(more), { responsive: true, displayModeBar: false, displaylogo: false });
}

function legend(id, traces, most = 12) {  // above the chart, where it covers nothing; on a phone only where it is short
  const narrow = at(id).clientWidth < 600;
  const shown = traces.length > 1 && traces.length <= (narrow && most < 99 ? 4 : most);
  return { showlegend: shown, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { color: colour("text") } } };
}

function again() {
  listeners.forEach((listener) => listener());
}

fill(at("highlight"), data.settings.map((one) => [one.setting, one.label]));
at("highlight").addEventListener("change", (event) => {
  highlighted = event.target.value === "" ? null : Number(event.target.value);
  again();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
