// When something ran for each trial, and what happened to it.
const ENDS = { done: "c2", stopped: "c5", failed: "c7", paused: "c4", running: "c0" };
const MARKS = {
  start: ["starts", "triangle-right", "text"], restart: ["starts again", "triangle-up", "c3"], failure: ["fails", "x", "c7"],
  leaves: ["leaves", "square-open", "c1"], rung: ["decision", "line-ns-open", "text"], end: ["ends", "circle", "text"],
};

function timeline() {
  const trials = data.trials.filter((one) => one.spans.length).sort((one, other) => other.trial - one.trial);
  const name = new Map(trials.map((one) => [one.trial, plain(one.label)]));
  const spans = trials.flatMap((one) => one.spans.map((span) => ({ one, span })));
  const ended = (span) => (ENDS[span[2]] ? span[2] : "broken off");
  const traces = [...Object.keys(ENDS), "broken off"].map((kind) => {
    const some = spans.filter(({ span }) => ended(span) === kind);
    return {
      type: "bar", orientation: "h", name: kind, y: some.map(({ one }) => name.get(one.trial)), base: some.map(({ span }) => span[0]), x: some.map(({ span }) => Math.max(1, 1000 * span[1])),
      marker: { color: colour(ENDS[kind] ?? "weak"), opacity: some.map(({ one }) => (isPale(one.setting) ? 0.15 : 0.75)) },
      text: some.map(({ one, span }) => `${wrapped(one.label)}<br>from ${span[0].slice(0, 19)} for ${number(span[1])} s: ${plain(span[2])}`),
      textposition: "none", hovertemplate: "%{text}<extra></extra>",
    };
  }).filter((trace) => trace.y.length);
  for (const [kind, [told, symbol, tint]] of Object.entries(MARKS)) {
    const some = trials.flatMap((one) => one.marks.filter((mark) => mark[1] === kind).map((mark) => ({ one, mark })));
    if (some.length) traces.push({
      type: "scatter", mode: "markers", name: told, x: some.map(({ mark }) => mark[0]), y: some.map(({ one }) => name.get(one.trial)),
      marker: { symbol, size: kind === "end" || kind === "start" ? 7 : 11, color: colour(tint), line: { width: 2, color: colour(tint) } },
      text: some.map(({ one, mark }) => `${plain(one.label)}, ${mark[0].slice(0, 19)}<br>${wrapped(mark[2])}`), hovertemplate: "%{text}<extra></extra>",
    });
  }
  const narrow = at("chart-timeline").clientWidth < 600;
  draw("chart-timeline", traces, {
    height: 150 + 26 * trials.length + (narrow ? 40 : 0), barmode: "overlay", bargap: 0.35, ...legend("chart-timeline", traces, 99),
    margin: { l: 10, r: 16, t: 10, b: 60 },
    xaxis: { type: "date", nticks: narrow ? 3 : 8, tickangle: 0 },
    yaxis: { type: "category", categoryorder: "array", categoryarray: trials.map((one) => name.get(one.trial)), tickfont: { size: narrow ? 10 : 12 } },
    shapes: data.opened.map((when) => ({ type: "line", x0: when, x1: when, yref: "paper", y0: 0, y1: 1, line: { color: colour("muted"), width: 1, dash: "dot" } })),
  });
}

if (at("chart-timeline")) {
  listeners.push(timeline);
  timeline();
}
document.documentElement.dataset.ready = "yes";
