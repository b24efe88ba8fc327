"use strict";
(() => {
  const study = JSON.parse(document.getElementById("data").textContent);
  if (!study.panels.length) return;
  const INK = "#1f2328", FAINT = "#656d76", GRID = "#e7ebef";
  const config = () => ({ responsive: true, displaylogo: false, showTips: false, showSendToCloud: false, typesetMath: false, plotlyServerURL: "",
    displayModeBar: window.innerWidth >= 640,
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"], toImageButtonOptions: { scale: 2 } });

  // Names come from users; plotly reads a small kind of HTML in its texts.
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const finite = (values) => values.filter((value) => value !== null);
  const short = (value) => (value === null ? "diverged" : String(Number(value.toPrecision(3))));

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    Object.assign(made, attributes);
    made.append(...children);
    return made;
  }

  // A row of buttons of which one is pressed.
  function group(label, choices, chosen, choose) {
    const box = element("div", { className: "group" });
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", label);
    for (const choice of choices) {
      const button = element("button", { type: "button", textContent: choice.text, disabled: Boolean(choice.disabled) });
      button.setAttribute("aria-pressed", String(choice.value === chosen));
      button.addEventListener("click", () => choose(choice.value));
      box.append(button);
    }
    return box;
  }

  function chart(parent, title) {
    const box = element("div", { className: "chart" });
    parent.append(element("figure", {}, element("figcaption", { textContent: title }), box));
    return box;
  }

  // Limits of an axis from the values that must be seen.
  function limits(values, logarithmic) {
    const shown = logarithmic ? values.filter((value) => value > 0) : values;
    if (!shown.length) return undefined;
    let [low, high] = [Infinity, -Infinity];
    for (const value of shown) { low = Math.min(low, value); high = Math.max(high, value); }
    if (logarithmic) [low, high] = [Math.log10(low), Math.log10(high)];
    const margin = 0.05 * (high - low) || 0.05 * Math.abs(high) || 0.05;
    return [low - margin, high + margin];
  }

  function axis(title, logarithmic, range) {
    return { title: { text: plain(title), standoff: 8 }, type: logarithmic ? "log" : "linear", range, gridcolor: GRID,
      linecolor: "#8c959f", zeroline: false, ticks: "outside", tickcolor: "#8c959f", ticklen: 4, automargin: true, tickangle: 0,
      ...(logarithmic && range ? ticks(range) : { tickmode: "auto" }) };
  }

  // Plain numbers on a logarithmic axis, enough of them where it spans little; `range` holds logarithms.
  function ticks([low, high]) {
    const span = high - low;
    const within = span > 2.2 ? [1] : span > 0.8 ? [1, 2, 5] : span > 0.25 ? [1, 1.5, 2, 3, 4, 5, 7] : null;
    const every = Math.ceil(span / (window.innerWidth < 640 ? 5 : 8));
    let values = [];
    if (within) {
      for (let decade = Math.floor(low); decade <= high; decade += 1) {
        if (decade % every === 0) values.push(...within.map((digit) => digit * 10 ** decade));
      }
    } else {
      const step = 10 ** Math.floor(Math.log10((10 ** high - 10 ** low) / 3));
      for (let value = Math.ceil(10 ** low / step) * step; value <= 10 ** high; value += step) values.push(value);
    }
    values = values.filter((value) => Math.log10(value) >= low && Math.log10(value) <= high);
    return { tickmode: "array", tickvals: values, ticktext: values.map(tickText) };
  }

  function tickText(value) {
    const rounded = Number(value.toPrecision(4));
    return rounded >= 1e-3 && rounded < 1e5 ? String(rounded) : rounded.toExponential().replace("+", "");
  }

  // Ticks follow the zoom.
  function followed(box) {
    if (box.followed) return;
    box.followed = true;
    box.on("plotly_relayout", (event) => {
      const update = {};
      for (const name of ["xaxis", "yaxis"]) {
        const zoomed = Object.keys(event).some((key) => key === `${name}.range` || key.startsWith(`${name}.range[`) || key === `${name}.autorange`);
        if (zoomed && box.layout[name].type === "log") {
          for (const [key, value] of Object.entries(ticks(box.layout[name].range))) update[`${name}.${key}`] = value;
        }
      }
      if (Object.keys(update).length) Plotly.relayout(box, update);
    });
  }

  function layout(box, names, extra) {
    const narrow = box.clientWidth < 640;
    const lines = names.length;
    return { height: (narrow ? 350 + 24 * lines : Math.max(430, 60 + 22 * lines)), margin: { l: 60, r: 16, t: narrow ? 10 : 34, b: 48 },
      paper_bgcolor: "#fff", plot_bgcolor: "#fff", font: { family: 'system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif', size: 13, color: INK },
      hoverlabel: { bgcolor: "#fff", bordercolor: "#d8dee4", font: { size: 12, color: INK }, namelength: -1 },
      legend: narrow ? { orientation: "v", x: 0, y: -0.28, yanchor: "top", xanchor: "left" }
        : { x: 1.02, y: 1, xanchor: "left", yanchor: "top" }, ...extra };
  }

  // Curves ---------------------------------------------------------------------------------------------------------
  const curveBoxes = study.panels.map((panel) => chart(document.getElementById("curve-charts"), panel.title));
  const columnsOf = (name) => study.quantities.find((quantity) => quantity.name === name);
  const first = study.panels[0].selectedOn;
  const state = { name: "loss", column: first, logarithmic: true };

  function drawCurves() {
    study.panels.forEach((panel, number) => {
      const box = curveBoxes[number];
      const traces = [];
      const steady = [], all = [];
      panel.rows.forEach((row, place) => {
        const look = study.looks[row.optimizer];
        const shared = { legendgroup: row.optimizer, legendrank: place + 1 };
        for (const run of row.runs) {
          const values = run.columns[state.column];
          if (!values) continue;
          (run.diverged ? all : steady).push(...finite(values));
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
      const range = limits(steady.length ? steady : all, state.logarithmic);
      const text = columnsOf(state.name).columns.find((column) => column.column === state.column).text;
      // The best optimizer is drawn last, above the others.
      Plotly.react(box, traces.reverse(), layout(box, panel.rows, { hovermode: "x unified",
        xaxis: { ...axis("step", false), ...(longest <= 8 ? { dtick: 1 } : {}), rangemode: "nonnegative", hoverformat: ",d", unifiedhovertitle: { text: "step %{x}" } },
        yaxis: axis(text, state.logarithmic, range) }), config());
      followed(box);
    });
  }

  function curveControls() {
    const place = document.getElementById("curve-controls");
    const quantity = columnsOf(state.name);
    const names = study.quantities.map((one) => ({ value: one.name, text: one.name.replaceAll("_", " ") }));
    const splits = quantity.columns.map((one) => ({ value: one.column,
      text: one.column === "batch_loss" ? "mini-batch" : one.text.split(" ")[0] }));
    const change = (values) => { Object.assign(state, values); curveControls(); drawCurves(); };
    const pick = (name) => {
      const split = state.column.split("_")[0];
      const next = columnsOf(name);
      const same = next.columns.find((one) => one.column.startsWith(split + "_")) || next.columns[0];
      change({ name, column: same.column, logarithmic: next.logarithmic });
    };
    place.replaceChildren(
      ...(names.length > 1 ? [group("Quantity", names, state.name, pick)] : []),
      group("Data", splits, state.column, (column) => change({ column })),
      group("Axis", [{ value: true, text: "logarithmic" }, { value: false, text: "linear" }], state.logarithmic,
        (logarithmic) => change({ logarithmic })));
  }

  // Values tried -----------------------------------------------------------------------------------------------------
  const hyperparameters = [...new Set(study.panels.flatMap((panel) => Object.keys(panel.tried)))];
  const tried = { name: hyperparameters[0], logarithmic: true };
  const triedBoxes = hyperparameters.length
    ? study.panels.map((panel) => chart(document.getElementById("tried-charts"), panel.title)) : [];

  function drawTried() {
    triedBoxes.forEach((box, number) => {
      const panel = study.panels[number];
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
      const finals = finite(rows.flatMap((row) => row.points.flatMap((point) => [...point.finals, point.median])));
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
        (logarithmic) => change({ logarithmic })));
  }

  function drawAll() { drawCurves(); if (hyperparameters.length) drawTried(); }

  curveControls();
  if (hyperparameters.length) triedControls();
  else document.getElementById("tried-charts").textContent = "No hyperparameter was given two numbers or more.";
  drawAll();

  let narrow = window.innerWidth < 640;
  window.addEventListener("resize", () => {
    if (narrow !== (narrow = window.innerWidth < 640)) drawAll();
  });
  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
    for (const box of [...curveBoxes, ...triedBoxes]) Plotly.relayout(box, { width: 680 });
  });
  window.addEventListener("afterprint", () => {
    for (const box of [...curveBoxes, ...triedBoxes]) Plotly.relayout(box, { width: null, autosize: true });
  });
})();
