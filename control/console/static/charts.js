// Draws what figures have in `data-chart`, in the place of what stands there without a script. All
// numbers are in a table beside it, too, so that nothing of it is for who has no eyes for it: it is
// hidden from those, has no key and takes none.
(() => {
  "use strict";
  const DASH = { dashed: [6, 4] };
  const MOST = 900;
  const GAP = 10;
  const drawn = new Map();

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  }

  function axis(more) {
    return {
      stroke: () => colour("soft"),
      grid: { stroke: () => colour("line"), width: 1 },
      ticks: { stroke: () => colour("line"), width: 1 },
      font: "12px system-ui, sans-serif",
      ...more,
    };
  }

  function short(value) {
    return new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 }).format(value);
  }

  function paths(kind) {
    if (kind === "bars") return uPlot.paths.bars({ size: [0.7, 40] });
    if (kind === "steps") return uPlot.paths.stepped({ align: 1 });
    return uPlot.paths.linear();
  }

  function at(chart) {
    // A day is a day of UTC, and is called as it is; a moment is of the reader's zone.
    const style = chart.days ? { dateStyle: "medium", timeZone: "UTC" } : { timeStyle: "medium" };
    const shown = new Intl.DateTimeFormat(undefined, style);
    return (_, value) => (value == null ? "–" : shown.format(new Date(value * 1000)));
  }

  function marks(chart) {
    const style = chart.days
      ? { day: "numeric", month: "short", timeZone: "UTC" }
      : { hour: "2-digit", minute: "2-digit", second: "2-digit" };
    const shown = new Intl.DateTimeFormat(undefined, style);
    return (_, values) => values.map((value) => shown.format(new Date(value * 1000)));
  }

  function made(figure, chart) {
    const width = figure.clientWidth;
    const space = chart.days ? 70 : 90;
    const options = {
      width,
      height: 220,
      tzDate: chart.days
        ? (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC")
        : (seconds) => new Date(seconds * 1000),
      cursor: { drag: { x: false, y: false }, y: false },
      select: { show: false },
      scales: {
        x: { range: (_, least, most) => (chart.days ? [least - 43200, most + 43200] : [least, Math.max(most, least + 60)]) },
        y: { range: (_, least, most) => [0, Math.max(most * 1.05, 1)] },
      },
      axes: [
        axis({ space, values: marks(chart), incrs: chart.days ? [1, 2, 7, 14, 28, 91].map((n) => n * 86400) : undefined }),
        axis({ size: 52, values: (_, values) => values.map(short) }),
      ],
      series: [
        { label: chart.days ? "Day" : "Time", value: at(chart) },
        ...chart.lines.map((line) => ({
          label: line.label,
          stroke: () => colour(line.colour),
          fill: line.kind === "bars" ? () => colour(line.colour) : undefined,
          width: line.kind === "bars" ? 0 : 2,
          dash: DASH[line.kind],
          paths: paths(line.kind),
          points: { show: (plot) => plot.data[0].length === 1 },
          value: (_, value) => (value == null ? "–" : value.toLocaleString()),
        })),
      ],
    };
    const place = document.createElement("div");
    place.className = "chart";
    place.setAttribute("aria-hidden", "true");
    for (const old of figure.querySelectorAll("svg.plot, .chart")) old.remove();
    for (const old of figure.querySelectorAll(".plain")) old.hidden = true;
    figure.prepend(place);
    return new uPlot(options, [chart.places, ...chart.lines.map((line) => line.values)], place);
  }

  function draw(figure) {
    const chart = JSON.parse(figure.dataset.chart);
    const plot = made(figure, chart);
    drawn.set(figure, { plot, chart });
    new ResizeObserver(() => {
      if (figure.clientWidth && figure.clientWidth !== plot.width) {
        plot.setSize({ width: figure.clientWidth, height: 220 });
      }
    }).observe(figure);
  }

  function live(figure) {
    const source = document.querySelector(figure.dataset.live);
    const found = drawn.get(figure);
    if (!source || !found || source.dataset.point === found.last) return;
    found.last = source.dataset.point;
    const point = JSON.parse(found.last);
    const { chart, plot } = found;
    const before = chart.places[chart.places.length - 1];
    if (!point.places.length || point.places[0] <= before) return;
    if (point.places[0] - before > GAP) {
      chart.places.push(before + 1);
      for (const line of chart.lines) line.values.push(null);
    }
    chart.places.push(point.places[0]);
    chart.lines.forEach((line, n) => line.values.push(point.lines[n].values[0]));
    for (const row of [chart.places, ...chart.lines.map((line) => line.values)]) {
      while (row.length > MOST) row.shift();
    }
    plot.setData([chart.places, ...chart.lines.map((line) => line.values)]);
  }

  for (const figure of document.querySelectorAll("[data-chart]")) draw(figure);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const { plot } of drawn.values()) plot.redraw(false, true);
  });
  const watching = [...document.querySelectorAll("[data-live]")];
  if (watching.length) {
    new MutationObserver(() => watching.forEach(live)).observe(document.body, {
      childList: true,
      subtree: true,
      attributes: true,
      attributeFilter: ["data-point"],
    });
  }
})();
