// The share of runs that have reached the target, over time in several units.
const arrival = { unit: 0 };
const arrivals = { place: "arrival", shows: (panel) => panel.arrivals !== null, controls: arrivalControls, draw: drawArrivals };

function drawArrivals(box, panel) {
  const unit = panel.arrivals.units[Math.min(arrival.unit, panel.arrivals.units.length - 1)];
  const traces = unit.rows.flatMap((row, place) => {
    const look = study.looks[row.optimizer];
    const shared = { legendgroup: row.optimizer, legendrank: place + 1 };
    const last = row.reached.length ? row.reached[row.reached.length - 1] : 0;
    const ends = row.missed.map((one) => one.at);
    return [{ ...shared, x: [0, ...row.times, row.until], y: [0, ...row.reached, last].map((share) => 100 * share), mode: "lines",
      name: plain(row.optimizer), line: { color: look.color, dash: look.dash, width: 2.4, shape: "hv" },
      hovertemplate: plain(`${row.optimizer}: ${row.text}`) + "<extra></extra>" },
    { ...shared, x: ends, y: ends.map((end) => 100 * shareAt(row, end)), mode: "markers", showlegend: false,
      marker: { symbol: "line-ns", size: 13, line: { width: 2, color: look.color } },
      hovertemplate: row.missed.map((one) => plain(`${row.optimizer}: ${one.count} had not reached it`) + "<extra></extra>") }];
  });
  const longest = Math.max(...unit.rows.map((row) => row.until));
  Plotly.react(box, traces, layout(box, unit.rows, { hovermode: "closest",
    xaxis: { ...axis(unit.name, false, [0, 1.03 * longest]) },
    yaxis: { ...axis("runs that have reached it", false, [-4, 104]), ticksuffix: " %" } }), config());
}

function shareAt(row, time) {
  const before = row.times.filter((one) => one <= time).length;
  return before ? row.reached[before - 1] : 0;
}

function arrivalControls() {
  const names = [...new Set(study.panels.filter(arrivals.shows).flatMap((panel) => panel.arrivals.units.map((unit) => unit.name)))];
  return names.length > 1 ? [group("Time in", names.map((name, i) => ({ value: i, text: name })), arrival.unit,
    (unit) => { arrival.unit = unit; redraw(arrivals); })] : [];
}
