// All charts, and what redraws them.
function drawPanels() { drawCurves(); if (hyperparameters.length) drawTried(); }
function drawAll() { drawPanels(); drawInside(); }

// Charts of the panels shown, with their controls.
function build() {
  const places = ["curve-charts", "tried-charts"].map((name) => document.getElementById(name));
  for (const box of [...(curveBoxes || []), ...(triedBoxes || [])]) Plotly.purge(box);
  places.forEach((place) => place.replaceChildren());
  curveBoxes = panels.map((panel) => chart(places[0], panel.title));
  triedBoxes = hyperparameters.length ? panels.map((panel) => chart(places[1], panel.title)) : [];
  curveControls();
  if (hyperparameters.length) triedControls();
  else places[1].textContent = "No hyperparameter was given two numbers or more.";
  drawPanels();
}

build();
drawInside();

let narrow = window.innerWidth < 640;
window.addEventListener("resize", () => {
  if (narrow !== (narrow = window.innerWidth < 640)) drawAll();
});
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
  for (const box of [...curveBoxes, ...triedBoxes, ...insideBoxes]) Plotly.relayout(box, { width: 680 });
});
window.addEventListener("afterprint", () => {
  for (const box of [...curveBoxes, ...triedBoxes, ...insideBoxes]) Plotly.relayout(box, { width: null, autosize: true });
});
