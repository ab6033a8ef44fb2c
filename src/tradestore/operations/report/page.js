(() => {
  "use strict";
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  const config = { displayModeBar: false, responsive: true, showTips: false };
  const money = `,.${data.decimals}f`;

  function layout(more) {
    const text = colour("muted");
    const axis = { gridcolor: colour("line"), zerolinecolor: colour("muted"), linecolor: colour("line"),
      automargin: true, fixedrange: true };
    const { xaxis, yaxis, ...rest } = more;
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false,
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: text },
      margin: { l: 12, r: 12, t: 8, b: 8 }, bargap: 0.28, separators: ".,",
      hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("text"), size: 12 } },
      xaxis: { ...axis, ...xaxis }, yaxis: { ...axis, ...yaxis }, ...rest,
    };
  }

  function line(values, kind, what) {
    return [{
      type: "scatter", mode: data.equity.at.length > 1 ? "lines" : "markers", x: data.equity.at, y: values,
      line: { color: colour(kind), width: 1.8, shape: "hv" }, fill: "tozeroy", fillcolor: colour(`${kind}-soft`),
      hovertemplate: `%{x|%Y-%m-%d %H:%M}<br>%{y:${money}} ${data.currency} ${what}<extra></extra>`,
    }];
  }

  const overTime = () => layout({
    hovermode: "x", xaxis: { type: "date", showgrid: false, nticks: root.clientWidth < 600 ? 4 : 9 },
    yaxis: { tickformat: "~s", nticks: 6 },
  });

  function bars(group, isVertical, width) {
    const places = group.label.map((_, number) => number);
    const trace = {
      type: "bar", [isVertical ? "x" : "y"]: places, [isVertical ? "y" : "x"]: group.profit,
      orientation: isVertical ? "v" : "h", marker: { color: group.profit.map((p) => colour(p < 0 ? "loss" : "gain")) },
      customdata: group.name.map((name, i) => [name, group.count[i], group.wins[i]]),
      hovertemplate: `%{customdata[0]}<br>%{${isVertical ? "y" : "x"}:${money}} ${data.currency}`
        + "<br>%{customdata[1]} trades, %{customdata[2]} won<extra></extra>",
    };
    const step = isVertical ? Math.ceil(places.length / Math.max(1, Math.floor(width / (8 * group.label[0].length + 16)))) : 1;
    const kept = places.filter((place) => place % step === 0);
    const names = { tickvals: kept, ticktext: kept.map((place) => group.label[place]), showgrid: false, zeroline: false };
    const values = { tickformat: "~s", nticks: 6, zeroline: true };
    return [[trace], layout(isVertical
      ? { xaxis: { ...names, tickangle: 0 }, yaxis: values }
      : { xaxis: values, yaxis: { ...names, autorange: "reversed", ticksuffix: "  " } })];
  }

  function distribution() {
    const { low, high, count } = data.bins;
    const trace = {
      type: "bar", x: low.map((edge, i) => (edge + high[i]) / 2), y: count, width: low.map((edge, i) => high[i] - edge),
      marker: { color: low.map((edge) => colour(edge < 0 ? "loss" : "gain")), line: { width: 1, color: colour("card") } },
      customdata: low.map((edge, i) => [edge, high[i]]),
      hovertemplate: "%{customdata[0]:.1%} to %{customdata[1]:.1%}<br>%{y} trades<extra></extra>",
    };
    return [[trace], layout({ bargap: 0, xaxis: { tickformat: ".1~%", showgrid: false }, yaxis: { nticks: 6 } })];
  }

  const charts = {
    equity: () => [line(data.equity.profit, "gain", "profit"), overTime()],
    drawdown: () => [line(data.equity.drawdown, "loss", "below the top"), overTime()],
    bins: distribution,
  };
  for (const [name, group] of Object.entries(data.groups)) {
    charts[name] = (width) => bars(group, ["months", "weekdays", "hours"].includes(name), width);
  }

  function draw() {
    for (const [name, make] of Object.entries(charts)) {
      const place = document.getElementById(`chart-${name}`);
      if (place) Plotly.react(place, ...make(place.clientWidth), config);
    }
  }

  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("beforeprint", () => { root.dataset.print = ""; draw(); });
  addEventListener("afterprint", () => { delete root.dataset.print; draw(); });
})();
