// Learning curves: a metric of all trials, or all metrics of one.
const GROUPS = Object.keys(data.groups).filter((name) => at(`chart-${name}`));
const DASHES = ["solid", "dash", "dot", "dashdot"];

function stroke(place) {
  return { color: colour(`c${place % 8}`), dash: DASHES[Math.floor(place / 8) % DASHES.length] };
}

function points(trial, metric) {  // where it was told, so that a line joins evaluations over the reports between them
  const values = trial.series[metric] ?? [];
  const told = trial.steps.map((step, place) => [step, values[place]]).filter(([, value]) => value !== null && value !== undefined);
  return { x: told.map(([step]) => step), y: told.map(([, value]) => value) };
}

function line(trial, metric, name, place) {
  const { x, y } = points(trial, metric);
  const pale = isPale(trial.setting);
  return {
    x, y, type: "scatter", mode: x.length < 60 ? "lines+markers" : "lines", name: plain(name), opacity: pale ? 0.15 : 1,
    line: { ...stroke(place), width: highlighted === trial.setting ? 4 : 2 }, marker: { size: 5 },
    hovertemplate: `${wrapped(name)}<br>${plain(metric)} %{y:.6g} at step %{x}<extra></extra>`,
  };
}

function curves(group) {
  const chosen = at("curves-trial").value;
  const metric = at(`${group}-metric`).value;
  const trial = data.trials.find((one) => String(one.trial) === chosen);
  at(`${group}-metric`).disabled = Boolean(trial);
  const traces = trial
    ? data.groups[group].filter((name) => points(trial, name).x.length).map((name, place) => line(trial, name, name, place))
    : data.trials.map((one, place) => line(one, metric, one.label, place)).filter((trace) => trace.x.length);
  draw(`chart-${group}`, traces, {
    height: 400, ...legend(`chart-${group}`, traces),
    xaxis: { title: { text: "step" }, rangemode: "tozero" },
    yaxis: { title: { text: trial ? "" : plain(metric) }, type: at("curves-log").checked ? "log" : "linear" },
  });
}

function allCurves() {
  GROUPS.forEach(curves);
}

if (at("curves-trial")) {
  fill(at("curves-trial"), data.trials.map((one) => [one.trial, `${one.label}, all its numbers`]));
  for (const group of GROUPS) {
    const goal = data.goals.find((one) => data.groups[group].includes(one.metric));
    fill(at(`${group}-metric`), data.groups[group].map((name) => [name, name]), goal?.metric);
    at(`${group}-metric`).addEventListener("change", () => curves(group));
  }
  at("curves-trial").addEventListener("change", allCurves);
  at("curves-log").addEventListener("change", allCurves);
  listeners.push(allCurves);
  allCurves();
}
