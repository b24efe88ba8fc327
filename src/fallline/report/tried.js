// Final losses against the values tried.
const hyperparameters = [...new Set(study.panels.flatMap((panel) => Object.keys(panel.tried)))];
const tried = { name: hyperparameters[0], logarithmic: true };

function drawTried() {
  triedBoxes.forEach((box, number) => {
    const panel = panels[number];
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
    const height = layout(box, rows, {}).height;
    const band = gone.length ? Math.min(0.4, (14 * gone.length + 6) / (height - 82)) : 0;
    const finals = finite(comparable(panel).flatMap((other) => (other.tried[tried.name] || []).flatMap(
      (row) => row.points.flatMap((point) => [...point.finals, point.median]))));
    const range = limits(finals, tried.logarithmic);
    Plotly.react(box, traces, layout(box, rows, { hovermode: "closest",
      xaxis: { ...axis(tried.name === "lr" ? "learning rate (lr)" : tried.name, logarithmic, logarithmic
        ? [Math.log10(Math.min(...values)) - 0.15, Math.log10(Math.max(...values)) + 0.15] : undefined), anchor: "y" },
      yaxis: { ...axis("final " + panel.selectedText, tried.logarithmic, range), domain: [0, 1 - band] },
      yaxis2: { domain: [1 - band, 1], range: [-0.7, gone.length - 0.3], fixedrange: true, showgrid: false, zeroline: false,
        showline: false, tickmode: "array", tickvals: gone.length ? [(gone.length - 1) / 2] : [], ticktext: ["diverged"],
        tickfont: { color: FAINT, size: 12 }, visible: gone.length > 0 },
      shapes: gone.length ? [{ type: "line", xref: "paper", yref: "paper", x0: 0, x1: 1, y0: 1 - band, y1: 1 - band,
        line: { color: "#8c959f", width: 1 } }] : [] }), config());
    followed(box);
  });
}

function triedControls() {
  const place = document.getElementById("tried-controls");
  const change = (values) => { Object.assign(tried, values); triedControls(); drawTried(); };
  place.replaceChildren(
    ...(hyperparameters.length > 1 ? [group("Hyperparameter", hyperparameters.map((name) => ({ value: name, text: name })),
      tried.name, (name) => change({ name }))] : []),
    group("Axis", [{ value: true, text: "logarithmic" }, { value: false, text: "linear" }], tried.logarithmic,
      (logarithmic) => change({ logarithmic })),
    ...panelControls());
}
