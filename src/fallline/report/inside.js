// Noise scale and sharpness.
const insideBoxes = study.inside.map((one) => chart(document.getElementById(`inside-${one.name}`), one.problem));

function drawInside() {
  study.inside.forEach((one, number) => {
    const box = insideBoxes[number];
    const values = finite(one.rows.flatMap((row) => [...row.low, ...row.median, ...row.high]));
    const logarithmic = values.length > 0 && values.every((value) => value > 0);
    const traces = one.rows.flatMap((row, place) => {
      const look = study.looks[row.optimizer];
      const shared = { x: row.step, mode: "lines", legendgroup: row.optimizer, legendrank: place + 1 };
      const edge = { ...shared, line: { width: 0, color: look.color }, hoverinfo: "skip", showlegend: false };
      return [{ ...edge, y: row.low }, { ...edge, y: row.high, fill: "tonexty", fillcolor: look.color + "2e" },
        { ...shared, y: row.median, name: plain(`${row.optimizer}  ${row.values}`), line: { color: look.color, dash: look.dash, width: 2.8 },
          text: row.low.map((low, i) => `[${bound(low)}, ${bound(row.high[i])}]`), hovertemplate: "%{y:.3~g} %{text}" }];
    });
    Plotly.react(box, traces, layout(box, one.rows, { hovermode: "x unified",
      xaxis: { ...axis("step", false), rangemode: "nonnegative", hoverformat: ",d", unifiedhovertitle: { text: "step %{x}" } },
      yaxis: axis(one.text, logarithmic, limits(values, logarithmic)) }), config());
    followed(box);
  });
}
