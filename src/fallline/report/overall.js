// Several problems together: mean ranks, and the factors between two optimizers.
function drawRanks(box) {
  const rows = study.overall.ranks;
  drawForest(box, rows.map((row) => ({ ...row, name: clipped(row.label), color: study.looks[row.optimizer].color })),
    { ...axis("mean rank", false, [0.8, rows.length + 0.2]), ...(rows.length <= 12 ? { dtick: 1 } : {}) });
}

function drawRatios(box) {
  const most = box.clientWidth < 640 ? 13 : 28;
  const rows = study.overall.ratios.map((row) => ({ ...row, name: `${clipped(row.first, most)} / ${clipped(row.second, most)}`, color: INK }));
  const ends = rows.flatMap((row) => [row.low, row.estimate, row.high]).filter((value) => typeof value === "number" && value > 0);
  drawForest(box, rows, axis("ratio of their losses", true, limits([...ends, 1], true)), 1);
  followed(box);
}

// A line for each row: its interval and its estimate; a dotted line at what is marked.
function drawForest(box, rows, across, marked) {
  const range = across.type === "log" ? across.range.map((end) => 10 ** end) : across.range;
  const held = (value) => Math.min(Math.max(numeric(value), range[0]), range[1]);
  const place = rows.map((_, i) => rows.length - 1 - i);
  const bars = rows.map((row, i) => ({ x: [held(row.low), held(row.high)], y: [place[i], place[i]], mode: "lines", showlegend: false,
    line: { color: row.color, width: 3 }, opacity: 0.6, hoverinfo: "skip" }));
  const dots = { x: rows.map((row) => held(row.estimate)), y: place, mode: "markers", showlegend: false,
    marker: { color: rows.map((row) => row.color), size: 10 },
    hovertemplate: rows.map((row) => plain(`${row.name}: ${bound(row.estimate)} [${bound(row.low)}, ${bound(row.high)}], level ${short(100 * row.level)} %`) + "<extra></extra>") };
  Plotly.react(box, [...bars, dots], { ...layout(box, [], {}), height: 90 + 26 * rows.length, hovermode: "closest", xaxis: across,
    yaxis: { tickmode: "array", tickvals: place, ticktext: rows.map((row) => plain(row.name)), range: [-0.7, rows.length - 0.3],
      automargin: true, showgrid: false, zeroline: false, fixedrange: true },
    shapes: marked === undefined ? [] : [vertical(marked)] }, config());
}
