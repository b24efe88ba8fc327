// The verdicts: a square of the matrix tells its pair, and shows it seed by seed.
const verdicts = [...document.querySelectorAll(".verdict")].map((place) => {
  const own = study.verdicts[Number(place.dataset.verdict)];
  const squares = [...place.querySelectorAll(".matrix button")];
  const told = place.querySelector(".told");
  const verdict = { own, pair: squares.length ? Number(squares[0].dataset.pair) : 0, box: chart(place.querySelector(".pair-chart"), ""), squares, told };
  for (const square of squares) {
    const tell = () => choosePair(verdict, Number(square.dataset.pair));
    square.addEventListener("click", tell);
    square.addEventListener("focus", tell);
    square.addEventListener("keydown", (event) => moveIn(squares, square, event));
    square.tabIndex = square === squares[0] ? 0 : -1;
  }
  return verdict;
});

function choosePair(verdict, pair) {
  verdict.pair = pair;
  if (verdict.told) verdict.told.textContent = verdict.own.pairs[pair].words;
  for (const square of verdict.squares) square.setAttribute("aria-pressed", String(Number(square.dataset.pair) === pair));
  drawPair(verdict);
}

// Arrows go through the matrix, which is one stop for the tab key.
function moveIn(squares, square, event) {
  const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
  if (!step) return;
  event.preventDefault();
  let [row, column] = [Number(square.dataset.row) + step[0], Number(square.dataset.column) + step[1]];
  if (row === column) [row, column] = [row + step[0], column + step[1]];
  const next = squares.find((other) => Number(other.dataset.row) === row && Number(other.dataset.column) === column);
  if (!next) return;
  squares.forEach((other) => { other.tabIndex = other === next ? 0 : -1; });
  next.focus();
}

function drawPair(verdict) {
  const { own, box } = verdict;
  const pair = own.pairs[verdict.pair];
  const leads = pair.leads.map(numeric);
  const order = leads.map((_, i) => i).sort((a, b) => leads[a] - leads[b]);
  const [low, estimate, high] = [pair.low, pair.estimate, pair.high].map(numeric);
  const known = [...leads, low, high, estimate].filter(Number.isFinite);
  const range = limits([...known, 0], false);
  const held = (value) => Math.min(Math.max(value, range[0]), range[1]);
  const dots = order.map((seed, place) => ({ seed, lead: leads[seed], y: place + 1 }));
  const color = (lead) => (lead > 0 ? pair.colors[0] : lead < 0 ? pair.colors[1] : FAINT);
  const of = (shown, marker) => ({ x: shown.map((dot) => held(dot.lead)), y: shown.map((dot) => dot.y), mode: "markers", showlegend: false, marker,
    hovertemplate: shown.map((dot) => plain(tellSeed(own, pair, dot)) + "<extra></extra>") });
  const finiteDots = dots.filter((dot) => Number.isFinite(dot.lead)), endless = dots.filter((dot) => !Number.isFinite(dot.lead));
  const traces = [of(finiteDots, { size: 9, color: finiteDots.map((dot) => color(dot.lead)) }),
    of(endless, { symbol: "x-thin", size: 9, line: { width: 2.4, color: endless.map((dot) => color(-dot.lead)) } })];
  if (pair.level > 0) traces.push({ x: [held(low), held(high)], y: [0, 0], mode: "lines", line: { color: INK, width: 3 }, hoverinfo: "skip", showlegend: false });
  if (Number.isFinite(estimate)) {
    traces.push({ x: [estimate], y: [0], mode: "markers", marker: { symbol: "diamond", size: 12, color: INK }, showlegend: false,
      hovertemplate: plain(`typical difference ${short(estimate)} [${bound(pair.low)}, ${bound(pair.high)}], level ${short(100 * pair.level)} %`) + "<extra></extra>" });
  }
  box.previousSibling.replaceChildren(element("span", { textContent: `◂ ${pair.second} has ${own.better}` }),
    element("span", { textContent: `${pair.first} has ${own.better} ▸` }));
  Plotly.react(box, traces, { ...layout(box, [], {}), height: 100 + 22 * (dots.length + 1), hovermode: "closest",
    xaxis: axis(`difference in ${own.metric}`, false, range),
    yaxis: { tickmode: "array", tickvals: [0, ...dots.map((dot) => dot.y)], ticktext: ["typical", ...dots.map((dot) => `${own.unit} ${own.seeds[dot.seed]}`)],
      range: [-0.7, dots.length + 0.7], automargin: true, gridcolor: GRID, zeroline: false, fixedrange: true },
    shapes: [vertical(0)] }, config());
}

function tellSeed(own, pair, dot) {
  const where = `${own.unit} ${own.seeds[dot.seed]}: `;
  if (dot.lead === 0) return where + "equal";
  const [ahead, behind] = dot.lead > 0 ? [pair.first, pair.second] : [pair.second, pair.first];
  return where + (Number.isFinite(dot.lead) ? `${ahead} ahead by ${short(Math.abs(dot.lead))}` : `${behind} diverged`);
}

function drawVerdicts() { verdicts.forEach((verdict) => choosePair(verdict, verdict.pair)); }
