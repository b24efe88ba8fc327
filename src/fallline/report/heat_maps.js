// Learning rate and batch size together, one map for each optimizer.
function drawHeatMap(box, map) {
  const cells = map.losses.flatMap((row, i) => row.map((loss, j) => ({ loss, x: map.rates[j], y: map.sizes[i], tried: map.tried[i][j] })));
  const gone = cells.filter((cell) => cell.tried && cell.loss === null);
  const best = map.losses.map((row, i) => {
    const least = Math.min(...finite(row));
    return { row: i, column: row.indexOf(least) };
  }).filter((cell) => cell.column >= 0);
  const logarithmic = map.limits !== null && map.limits[0] > 0;
  const scaled = (value) => (value === null ? null : logarithmic ? Math.log10(value) : value);
  const [low, high] = (map.limits || [0, 1]).map(scaled);
  const traces = [
    { type: "heatmap", x: map.rates, y: map.sizes, z: map.losses.map((row) => row.map(scaled)), zmin: low, zmax: high,
      colorscale: HEAT, xgap: 2, ygap: 2, showscale: false,
      text: map.losses.map((row) => row.map((loss) => (loss === null ? "" : short(loss)))), texttemplate: "%{text}", textfont: { color: INK },
      hovertemplate: `lr %{x}, batch size %{y}: ${plain(map.text)} %{text}<extra></extra>` },
    { x: gone.map((cell) => cell.x), y: gone.map((cell) => cell.y), mode: "markers", showlegend: false,
      marker: { symbol: "x-thin", size: 10, line: { width: 2.2, color: FAINT } }, hovertemplate: "lr %{x}, batch size %{y}: diverged<extra></extra>" }];
  const categories = { type: "category", categoryorder: "array", showgrid: false, ticks: "", automargin: true, tickangle: 0, zeroline: false };
  Plotly.react(box, traces, { ...layout(box, [], {}), height: 110 + 44 * map.sizes.length, hovermode: "closest", showlegend: false,
    margin: { l: 60, r: 16, t: window.innerWidth < 640 ? 10 : 34, b: 48 },
    shapes: best.map(({ row, column }) => ({ type: "rect", x0: column - 0.46, x1: column + 0.46, y0: row - 0.44, y1: row + 0.44,
      line: { color: INK, width: 2.5 } })),
    xaxis: { ...categories, categoryarray: map.rates, title: { text: "learning rate (lr)", standoff: 8 } },
    yaxis: { ...categories, categoryarray: map.sizes, title: { text: "batch size", standoff: 8 } } }, config());
}
