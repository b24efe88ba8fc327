// All charts, and what redraws them.
let panels = study.panels.filter((panel) => panel.atFirst);
const parts = [curves, sensitivity, budgets, arrivals].filter((part) => study.panels.some(part.shows));
const alone = [
  ...study.heat.map((map) => single("heat-charts", `${map.title}: ${map.optimizer}`, (box) => drawHeatMap(box, map))),
  ...(study.overall ? [single("rank-charts", "Mean ranks", drawRanks)] : []),
  ...(study.overall && study.overall.ratios.length ? [single("rank-charts", "Factors between losses", drawRatios)] : []),
];

function single(place, title, draw) { return { box: chart(document.getElementById(place), title), draw }; }

// Charts of the panels shown, with their controls.
function build() {
  for (const part of parts) {
    for (const { box } of part.charts || []) Plotly.purge(box);
    const place = document.getElementById(`${part.place}-charts`);
    place.replaceChildren();
    part.charts = panels.filter(part.shows).map((panel) => ({ panel, box: chart(place, panel.title) }));
    redraw(part);
  }
}

function redraw(part) {
  document.getElementById(`${part.place}-controls`).replaceChildren(...part.controls(), ...panelControls());
  for (const { panel, box } of part.charts) part.draw(box, panel);
}

function panelControls() {
  const best = study.panels.filter((panel) => panel.atFirst);
  if (best.length === study.panels.length) return [];
  return [group("Panels", [{ value: false, text: `${best.length} best panels` }, { value: true, text: `all ${study.panels.length}` }],
    panels.length > best.length, (all) => { panels = all ? study.panels : best; build(); })];
}

function drawAlone() {
  drawVerdicts();
  drawInside();
  for (const { box, draw } of alone) draw(box);
}

build();
drawAlone();

let narrow = window.innerWidth < 640;
window.addEventListener("resize", () => {
  if (narrow === (narrow = window.innerWidth < 640)) return;
  parts.forEach(redraw);
  drawAlone();
});

const boxes = () => [...document.querySelectorAll(".chart")];
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
  for (const box of boxes()) Plotly.relayout(box, { width: 680 });
});
window.addEventListener("afterprint", () => {
  for (const box of boxes()) Plotly.relayout(box, { width: null, autosize: true });
});
