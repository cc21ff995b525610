"use strict";
const figures = JSON.parse(document.getElementById("figures").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");

function shortened(text, most) {
  const letters = Array.from(text);
  return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : text;
}

// Plotly reads some HTML in its texts: these characters must stay text.
function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function render() {
  const css = getComputedStyle(document.documentElement);
  const colour = (name) => css.getPropertyValue(`--${name}`).trim();
  const axis = { gridcolor: colour("line"), linecolor: colour("line"), zeroline: false, fixedrange: true, automargin: true };
  figures.forEach(({ traces, layout, names }, number) => {
    const chart = document.getElementById(`chart-${number + 1}`);
    const labels = names && names.map((name) => escaped(shortened(name, chart.clientWidth < 480 ? 18 : 36)));
    const data = traces.map(({ paint, ...trace }) => ({
      ...trace,
      line: { ...trace.line, color: colour(paint) },
      marker: { color: colour(paint) },
      ...(names && { hovertext: names.map((name) => escaped(name)) }),
    }));
    Plotly.react(chart, data, {
      ...layout,
      font: { color: colour("ink"), family: "system-ui, sans-serif", size: 13 },
      paper_bgcolor: "transparent",
      plot_bgcolor: "transparent",
      hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") } },
      xaxis: { ...axis, ...layout.xaxis },
      yaxis: { ...axis, ...layout.yaxis, ...(labels && { tickvals: labels.map((_, place) => place), ticktext: labels }) },
    }, { displayModeBar: false, responsive: true });
  });
}

render();
dark.addEventListener("change", render);
