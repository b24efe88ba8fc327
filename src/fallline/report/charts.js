// What every chart is made with.
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

const bound = (value) => (value === null || typeof value === "string" ? "infinite" : short(value));
const numeric = (value) => ({ inf: Infinity, "-inf": -Infinity })[value] ?? (value === null ? NaN : value);
const clipped = (name, most = 28) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);
const vertical = (x) => ({ type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color: "#8c959f", width: 1, dash: "dot" } });
const HEAT = [[0, "#ffffd9"], [0.25, "#c7e9b4"], [0.5, "#7fcdbb"], [0.75, "#41b6c4"], [1, "#2a9bc7"]];

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
  return { title: { text: plain(title), standoff: 8 }, type: logarithmic ? "log" : "linear", range, exponentformat: "e", gridcolor: GRID,
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
