// Curves at the best values.
const columnsOf = (name) => study.quantities.find((quantity) => quantity.name === name);
const first = study.panels[0].selectedOn;
const state = { name: "loss", column: first, logarithmic: true };
const curves = { place: "curve", shows: () => true, controls: curveControls, draw: drawCurves };

function drawCurves(box, panel) {
  const traces = [];
  panel.rows.forEach((row, place) => {
    const look = study.looks[row.optimizer];
    const shared = { legendgroup: row.optimizer, legendrank: place + 1 };
    for (const run of row.runs) {
      const values = run.columns[state.column];
      if (!values) continue;
      traces.push({ ...shared, x: run.step, y: values, mode: "lines", line: { color: look.color, width: 1 }, opacity: 0.45,
        hoverinfo: "skip", showlegend: false });
      const last = values.findLastIndex((value) => value !== null && (value > 0 || !state.logarithmic));
      if (run.diverged && last >= 0) {
        traces.push({ ...shared, x: [run.step[last]], y: [values[last]], mode: "markers", showlegend: false,
          marker: { symbol: "x-thin", size: 8, line: { width: 2, color: look.color } },
          hovertemplate: plain(`${row.optimizer}, seed ${run.seed} diverged: ${run.diverged}`) + "<extra></extra>" });
      }
    }
    const median = row.medians[state.column];
    if (!median) return;
    const spread = median.low.map((low, i) => `[${short(low)}, ${short(median.high[i])}]`);
    traces.push({ ...shared, x: median.step, y: median.median, mode: "lines", name: plain(`${row.optimizer}  ${row.values}`),
      line: { color: look.color, dash: look.dash, width: 2.8 }, text: spread,
      hovertemplate: row.runs.length > 1 ? "%{y:.3~g} %{text}" : "%{y:.3~g}" });
  });
  const longest = Math.max(...panel.rows.flatMap((row) => row.runs.map((run) => run.step[run.step.length - 1])));
  const range = limits(comparable(panel).flatMap(curveValues), state.logarithmic);
  const text = columnsOf(state.name).columns.find((column) => column.column === state.column).text;
  // The best optimizer is drawn last, above the others.
  Plotly.react(box, traces.reverse(), layout(box, panel.rows, { hovermode: "x unified",
    xaxis: { ...axis("step", false), ...(longest <= 8 ? { dtick: 1 } : {}), rangemode: "nonnegative", hoverformat: ",d", unifiedhovertitle: { text: "step %{x}" } },
    yaxis: axis(text, state.logarithmic, range) }), config());
  followed(box);
}

// Panels of one problem have one scale.
function comparable(panel) {
  return panels.filter((other) => other.problem === panel.problem && other.selectedOn === panel.selectedOn);
}

// A run that diverged goes out at the top and hides nothing of the others.
function curveValues(panel) {
  const runs = panel.rows.flatMap((row) => row.runs).filter((run) => run.columns[state.column]);
  const steady = runs.filter((run) => !run.diverged);
  return (steady.length ? steady : runs).flatMap((run) => finite(run.columns[state.column]));
}

function curveControls() {
  const quantity = columnsOf(state.name);
  const names = study.quantities.map((one) => ({ value: one.name, text: one.name.replaceAll("_", " ") }));
  const splits = quantity.columns.map((one) => ({ value: one.column,
    text: one.column === "batch_loss" ? "mini-batch" : one.text.split(" ")[0] }));
  const change = (values) => { Object.assign(state, values); redraw(curves); };
  const pick = (name) => {
    const split = state.column.split("_")[0];
    const next = columnsOf(name);
    const same = next.columns.find((one) => one.column.startsWith(split + "_")) || next.columns[0];
    change({ name, column: same.column, logarithmic: next.logarithmic });
  };
  return [
    ...(names.length > 1 ? [group("Quantity", names, state.name, pick)] : []),
    group("Data", splits, state.column, (column) => change({ column })),
    group("Axis", [{ value: true, text: "logarithmic" }, { value: false, text: "linear" }], state.logarithmic,
      (logarithmic) => change({ logarithmic }))];
}
