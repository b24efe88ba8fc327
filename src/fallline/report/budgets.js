// The best that a search of fewer trials is expected to find, and where half of such searches end.
const budget = { logarithmic: true, band: true };
const budgets = { place: "budget", shows: (panel) => panel.budgets.length > 0, controls: budgetControls, draw: drawBudgets };

function drawBudgets(box, panel) {
  const traces = panel.budgets.flatMap((row, place) => {
    const look = study.looks[row.optimizer];
    const trials = row.expected.map((_, i) => i + 1);
    const known = trials.filter((k) => row.low[k - 1] !== null && row.high[k - 1] !== null);
    const shared = { mode: "lines", legendgroup: row.optimizer, legendrank: place + 1 };
    const edge = { ...shared, x: known, line: { width: 0, color: look.color }, hoverinfo: "skip", showlegend: false };
    const spread = trials.map((k) => (row.lost[k - 1] > 0 ? `${short(100 * row.lost[k - 1])} % diverge` : "")
      + ` [${bound(row.low[k - 1])}, ${bound(row.high[k - 1])}]`);
    return [...(budget.band ? [{ ...edge, y: known.map((k) => row.low[k - 1]) },
      { ...edge, y: known.map((k) => row.high[k - 1]), fill: "tonexty", fillcolor: look.color + "17" }] : []),
      { ...shared, mode: "lines+markers", x: trials, y: row.expected, name: plain(row.optimizer), text: spread,
        line: { color: look.color, dash: look.dash, width: 2.4 }, marker: { color: look.color, symbol: look.symbol, size: 6 },
        hovertemplate: "%{y:.3~g} %{text}" }];
  });
  const values = finite(comparable(panel).flatMap((other) => other.budgets.flatMap((row) => [...row.expected, ...row.low, ...row.high])));
  const most = Math.max(...panel.budgets.map((row) => row.expected.length));
  Plotly.react(box, traces, layout(box, panel.budgets, { hovermode: "x unified",
    xaxis: { ...axis("trials of the search", false, [1 - 0.03 * most, most * 1.03]), ...(most <= 12 ? { dtick: 1 } : {}),
      unifiedhovertitle: { text: "%{x} trials" } },
    yaxis: axis("expected best " + panel.selectedText, budget.logarithmic, limits(values, budget.logarithmic)) }), config());
  followed(box);
}

function budgetControls() {
  const change = (values) => { Object.assign(budget, values); redraw(budgets); };
  return [
    group("Band", [{ value: true, text: "band" }, { value: false, text: "lines alone" }], budget.band, (band) => change({ band })),
    group("Axis", [{ value: true, text: "logarithmic" }, { value: false, text: "linear" }], budget.logarithmic,
      (logarithmic) => change({ logarithmic }))];
}
