// Parallel coordinates and the Pareto front: what the settings have, and what they came to.
function placed(axis, values) {  // an axis from 0 to 1, with a few names on it
  if (axis.words.length) {
    const last = Math.max(1, axis.words.length - 1);
    const place = (value) => axis.words.indexOf(String(value)) / last;
    const every = Math.ceil(axis.words.length / 8);
    return { place, ticks: axis.words.filter((_, index) => index % every === 0).map((word) => [place(word), word.slice(0, 18)]) };
  }
  const scale = (value) => (axis.log ? Math.log(value) : value);
  const known = values.filter((value) => value !== null).map(scale);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const place = (value) => (high > low ? (scale(value) - low) / (high - low) : 0.5);
  const back = (share) => (axis.log ? Math.exp(low + share * (high - low)) : low + share * (high - low));
  const shares = high > low ? [0, 0.25, 0.5, 0.75, 1] : [0.5];
  return { place, ticks: shares.map((share) => [share, String(Number(back(share).toPrecision(3)))]) };
}

function columns(settings) {
  const axes = data.axes.map((axis, place) => ({ ...axis, of: settings.map((one) => one.values[place]) }));
  const goals = data.goals.map((goal, place) => ({ name: goal.metric, log: false, words: [], of: settings.map((one) => one.means[place]) }));
  return [...axes, ...goals].filter((column) => column.of.some((value) => value !== null))
    .map((column) => ({ ...column, ...placed(column, column.of) }));
}

function shares(settings) {  // 1 for the best in the first objective, 0 for the worst and for those without a value
  const sign = data.goals[0].mode === "min" ? -1 : 1;
  const order = settings.filter((one) => one.means[0] !== null).sort((one, other) => sign * (one.means[0] - other.means[0]));
  return new Map(order.map((one, place) => [one.setting, order.length > 1 ? place / (order.length - 1) : 1]));
}

function parallel() {
  const settings = data.settings.filter((one) => one.judged);
  const [found, share] = [columns(settings), shares(settings)];
  const traces = settings.map((one, index) => ({ one, index })).sort((a, b) => share.get(a.one.setting) - share.get(b.one.setting)).map(({ one, index }) => {
    const told = found.map((column) => `${plain(column.name)} ${typeof column.of[index] === "number" ? number(column.of[index]) : plain(column.of[index] ?? "none")}`);
    return {
      x: found.map((_, place) => place), y: found.map((column) => (column.of[index] === null ? null : column.place(column.of[index]))),
      type: "scatter", mode: "lines+markers", opacity: isPale(one.setting) ? 0.15 : Math.max(0.4, Math.min(1, 60 / settings.length)), marker: { size: 6 },
      line: { color: highlighted === one.setting ? colour("c1") : mixed(share.get(one.setting)), width: highlighted === one.setting ? 5 : 1 + 2 * share.get(one.setting) },
      hovertemplate: `${wrapped(one.label)}<br>${told.join("<br>")}<extra></extra>`,
    };
  });
  const ticks = found.flatMap((column, place) => column.ticks.map(([height, text]) => ({
    x: place, y: height, text: plain(text), showarrow: false, xanchor: "left", xshift: 5, yshift: 8, font: { size: 11, color: colour("text") }, bgcolor: colour("ground"), opacity: 0.9,
  })));
  at("chart-parallel").style.minWidth = `${130 * found.length}px`;
  draw("chart-parallel", traces, {
    height: 440, margin: { l: 50, r: 80, t: 20, b: 70 }, annotations: ticks,
    shapes: found.map((_, place) => ({ type: "line", x0: place, x1: place, y0: 0, y1: 1, line: { color: colour("muted"), width: 1 }, layer: "below" })),
    xaxis: { tickvals: found.map((_, place) => place), ticktext: found.map((column) => wrapped(column.name, 16)), showgrid: false, zeroline: false, fixedrange: true, tickangle: 0 },
    yaxis: { visible: false, range: [-0.06, 1.1], fixedrange: true },
  });
}

function front() {
  const [x, y] = [Number(at("front-x").value), Number(at("front-y").value)];
  const judged = data.settings.filter((one) => one.judged);
  const kinds = [
    ["beaten", judged.filter((one) => !one.front), "circle", "weak", 8],
    ["front", judged.filter((one) => one.front && !one.winner), "diamond", "c0", 11],
    ["knee", judged.filter((one) => one.winner), "star", "c1", 16],
  ];
  const edge = judged.filter((one) => one.front).sort((one, other) => one.means[x] - other.means[x]);
  const traces = [{ x: edge.map((one) => one.means[x]), y: edge.map((one) => one.means[y]), type: "scatter", mode: "lines", line: { color: colour("c0"), width: 1, dash: "dot" }, hoverinfo: "skip", showlegend: false }];
  for (const [name, some, symbol, tint, size] of kinds) {
    traces.push({
      x: some.map((one) => one.means[x]), y: some.map((one) => one.means[y]), type: "scatter", mode: "markers", name,
      marker: { symbol, size: some.map((one) => (one.setting === highlighted ? size + 6 : size)), color: colour(tint), opacity: some.map((one) => (isPale(one.setting) ? 0.25 : 1)) },
      text: some.map((one) => `${wrapped(one.label)}<br>${data.goals.map((goal, place) => `${plain(goal.metric)} ${number(one.means[place])}`).join("<br>")}`),
      hovertemplate: "%{text}<extra></extra>",
    });
  }
  const title = (place) => ({ text: plain(`${data.goals[place].metric}, ${data.goals[place].mode}imise`) });
  draw("chart-front", traces, { height: 440, ...legend("chart-front", traces), xaxis: { title: title(x) }, yaxis: { title: title(y) } });
}

if (at("chart-parallel")) {
  listeners.push(parallel);
  parallel();
}
if (at("chart-front")) {
  const goals = data.goals.map((goal, place) => [place, goal.metric]);
  fill(at("front-x"), goals, 0);
  fill(at("front-y"), goals, 1);
  ["front-x", "front-y"].forEach((id) => at(id).addEventListener("change", front));
  listeners.push(front);
  front();
}
