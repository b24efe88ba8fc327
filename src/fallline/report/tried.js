// Final losses against the values tried; beneath, the learning rates that are nearly as good as the best.
const hyperparameters = [...new Set(study.panels.flatMap((panel) => Object.keys(panel.tried)))];
const tried = { name: hyperparameters[0], logarithmic: true };
const sensitivity = { place: "tried", shows: (panel) => Object.keys(panel.tried).length > 0, controls: triedControls, draw: drawTried };

function drawTried(box, panel) {
  const rows = (panel.tried[tried.name] || []).filter((row) => row.points.length);
  const gone = rows.filter((row) => row.points.some((point) => point.diverged));
  const values = rows.flatMap((row) => row.points.map((point) => point.value));
  const spread = Math.max(...values) / Math.min(...values);
  const logarithmic = Math.min(...values) > 0 && spread >= 20;
  const traces = [];
  rows.forEach((row, place) => {
    const look = study.looks[row.optimizer];
    const shared = { legendgroup: row.optimizer, legendrank: place + 1 };
    const told = row.points.map((point) => plain(`${row.optimizer}  ${point.setting}`)
      + `<br>median ${short(point.median)}; seeds ${point.finals.map(short).join(", ")}`
      + (point.diverged ? `<br>${point.diverged} of ${point.seeds} diverged` : ""));
    traces.push({ ...shared, x: row.points.flatMap((p) => p.finals.map(() => p.value)), y: row.points.flatMap((p) => p.finals),
      mode: "markers", marker: { color: look.color, symbol: look.symbol, size: 6, opacity: 0.55 }, hoverinfo: "skip", showlegend: false });
    const chosen = row.points.filter((point) => point.chosen && point.median !== null);
    traces.push({ ...shared, x: chosen.map((p) => p.value), y: chosen.map((p) => p.median), mode: "markers", hoverinfo: "skip",
      showlegend: false, marker: { symbol: "circle-open", size: 15, color: INK, line: { width: 1.8 } } });
    const failed = row.points.map((point, i) => [point, told[i]]).filter(([point]) => point.diverged);
    if (failed.length) {
      traces.push({ ...shared, x: failed.map(([p]) => p.value), y: failed.map(() => gone.indexOf(row)), yaxis: "y2", mode: "markers",
        showlegend: false, marker: { symbol: "x-thin", size: 8, line: { width: 2.2, color: look.color } },
        hovertemplate: failed.map(([, text]) => text + "<extra></extra>") });
    }
    traces.push({ ...shared, x: row.points.map((p) => p.value), y: row.points.map((p) => p.median), mode: "lines+markers",
      name: plain(row.optimizer), line: { color: look.color, dash: look.dash, width: 2.4 },
      marker: { color: look.color, symbol: look.symbol, size: 6 }, hovertemplate: told.map((text) => text + "<extra></extra>") });
  });
  const wide = tried.name === "lr" ? panel.widths.filter((one) => rows.some((row) => row.optimizer === one.optimizer)) : [];
  for (const [place, one] of wide.entries()) {
    const look = study.looks[one.optimizer];
    for (const [within, thick] of [["10", 3], ["5", 8]]) {
      const x = one.spans[within].flatMap(([low, high]) => [low, high, null]);
      traces.push({ x, y: x.map(() => wide.length - 1 - place), yaxis: "y3", mode: "lines+markers", legendgroup: one.optimizer,
        showlegend: false, line: { color: look.color, width: thick }, marker: { color: look.color, size: thick },
        hovertemplate: plain(`${one.optimizer}, ${one.text}`) + "<extra></extra>" });
    }
  }
  const margin = box.clientWidth < 640 ? 58 : 82;
  const inner = layout(box, rows, {}).height - margin;
  const under = wide.length ? 15 * wide.length + 10 : 0;
  const band = gone.length ? Math.min(0.4, (14 * gone.length + 6) / (inner + under)) : 0;
  const strip = under / (inner + under);
  const finals = finite(comparable(panel).flatMap((other) => (other.tried[tried.name] || []).flatMap(
    (row) => row.points.flatMap((point) => [...point.finals, point.median]))));
  const range = limits(finals, tried.logarithmic);
  Plotly.react(box, traces, layout(box, rows, { hovermode: "closest", height: inner + margin + under,
    xaxis: { ...axis(tried.name === "lr" ? "learning rate (lr)" : tried.name, logarithmic, logarithmic
      ? [Math.log10(Math.min(...values)) - 0.15, Math.log10(Math.max(...values)) + 0.15] : undefined), anchor: wide.length ? "y3" : "y" },
    yaxis: { ...axis("final " + panel.selectedText, tried.logarithmic, range), domain: [strip, 1 - band] },
    yaxis2: { domain: [1 - band, 1], range: [-0.7, gone.length - 0.3], fixedrange: true, showgrid: false, zeroline: false,
      showline: false, tickmode: "array", tickvals: gone.length ? [(gone.length - 1) / 2] : [], ticktext: ["diverged"],
      tickfont: { color: FAINT, size: 12 }, visible: gone.length > 0 },
    yaxis3: { domain: [0, strip], range: [-0.7, wide.length - 0.3], fixedrange: true, showgrid: false, zeroline: false,
      showline: false, tickmode: "array", tickvals: wide.length ? [(wide.length - 1) / 2] : [], ticktext: ["near best"],
      tickfont: { color: FAINT, size: 12 }, visible: wide.length > 0 },
    shapes: [...(gone.length ? [1 - band] : []), ...(wide.length ? [strip] : [])].map((y) => ({ type: "line", xref: "paper",
      yref: "paper", x0: 0, x1: 1, y0: y, y1: y, line: { color: "#8c959f", width: 1 } })) }), config());
  followed(box);
}

function triedControls() {
  const change = (values) => { Object.assign(tried, values); redraw(sensitivity); };
  return [
    ...(hyperparameters.length > 1 ? [group("Hyperparameter", hyperparameters.map((name) => ({ value: name, text: name })),
      tried.name, (name) => change({ name }))] : []),
    group("Axis", [{ value: true, text: "logarithmic" }, { value: false, text: "linear" }], tried.logarithmic,
      (logarithmic) => change({ logarithmic }))];
}
