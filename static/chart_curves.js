/* Metric curves: step or time, log or linear, smoothed with a debiased moving average over a faint raw line. */
"use strict";
window.Maestro = window.Maestro || {};

(() => {
  const KEYS = { smooth: "smooth", log: "log", x: "x" };

  /** Exponential moving average that does not start from zero; gaps (null) stay gaps. */
  function smoothed(points, weight) {
    let sum = 0;
    let mass = 0;
    return points.map(([step, value, seconds]) => {
      if (value === null) return [step, null, seconds];
      sum = sum * weight + value * (1 - weight);
      mass = mass * weight + (1 - weight);
      return [step, sum / mass, seconds];
    });
  }

  /** How curves are to be shown: the page's controls, which the address keeps. */
  function view() {
    const query = new URLSearchParams(location.search);
    const weight = Number(query.get(KEYS.smooth) || 0);
    return {
      smooth: Number.isFinite(weight) ? Math.min(Math.max(weight, 0), 0.99) : 0,
      log: query.get(KEYS.log) === "1",
      x: ["time", "clock"].includes(query.get(KEYS.x)) ? query.get(KEYS.x) : "step",
    };
  }

  function remember(next) {
    const url = new URL(location.href);
    const put = (key, value) => (value ? url.searchParams.set(key, value) : url.searchParams.delete(key));
    put(KEYS.smooth, next.smooth ? String(next.smooth) : "");
    put(KEYS.log, next.log ? "1" : "");
    put(KEYS.x, next.x === "step" ? "" : next.x);
    history.replaceState(history.state, "", url);
  }

  function line(series, shown) {
    const place = {
      step: (point) => point[0],
      time: (point) => point[2],
      clock: (point) => (series.startMs || 0) + point[2] * 1000,
    }[shown.x];
    const drop = shown.log ? (value) => (value > 0 ? value : null) : (value) => value;
    const pick = (points) => points.map((point) => [place(point), drop(point[1])]);
    if (!shown.smooth) return [{ ...series, data: pick(series.data) }];
    const faint = {
      ...series,
      id: `${series.id} raw`,
      data: pick(series.data),
      silent: true,
      tooltip: { show: false },
      lineStyle: { ...series.lineStyle, opacity: 0.22, width: 1, type: "solid" },
      showSymbol: false,
      z: 1,
    };
    return [faint, { ...series, data: pick(smoothed(series.data, shown.smooth)), z: 2 }];
  }

  function seconds(value) {
    const left = Math.round(Number(value));
    if (left < 120) return `${Number(Number(value).toPrecision(3))} s`;
    if (left < 7200) return `${Math.floor(left / 60)} min ${left % 60} s`;
    return `${Math.floor(left / 3600)} h ${Math.floor((left % 3600) / 60)} min`;
  }

  function moment(value) {
    return new Date(Number(value)).toISOString().replace("T", " ").slice(0, 19);
  }

  /** Runs that logged a metric once have no line: a dot each, so that the axis need not begin at zero. */
  function valueDots(options) {
    const given = options.series.filter((series) => series.data.length).reverse();
    const data = given.map((series, row) => ({ value: [series.data[0][1], row], itemStyle: series.itemStyle }));
    return {
      grid: { left: 8, right: 28, top: 12, bottom: 12, containLabel: true },
      tooltip: { trigger: "item" },
      xAxis: { type: "value", scale: true },
      yAxis: {
        type: "category",
        data: given.map((series) => series.name),
        axisTick: { show: false },
        splitLine: { show: true },
      },
      series: [{ type: "scatter", name: "value", data, symbolSize: 11 }],
    };
  }

  /** The server's curve options as the reader wants to see them. */
  function curveOptions(options, shown) {
    if (
      options.series.some((series) => series.data.length) &&
      options.series.every((series) => series.data.length < 2)
    ) {
      return valueDots(options);
    }
    const say = { step: (value) => `step ${window.Maestro.sig(value)}`, time: seconds, clock: moment }[shown.x];
    const axis = {
      step: { name: "step" },
      time: { name: "time since start", axisLabel: { formatter: seconds, hideOverlap: true } },
      clock: { name: "clock", type: "time", axisLabel: { hideOverlap: true } },
    }[shown.x];
    return {
      ...options,
      xAxis: { ...options.xAxis, ...axis, axisPointer: { label: { formatter: (at) => say(at.value) } } },
      yAxis: { ...options.yAxis, type: shown.log ? "log" : "value" },
      series: options.series.flatMap((series) => line(series, shown)),
    };
  }

  /** Columns and rows of a curve chart, one row a step and a column a run. */
  function curveRows(options) {
    const steps = new Map();
    options.series.forEach((series, index) =>
      series.data.forEach(([step, value]) => {
        if (!steps.has(step)) steps.set(step, Array(options.series.length).fill(null));
        steps.get(step)[index] = value;
      }),
    );
    const rows = [...steps.entries()]
      .sort((left, right) => left[0] - right[0])
      .map(([step, values]) => [step, ...values]);
    return { columns: ["Step", ...options.series.map((series) => series.name)], rows };
  }

  /** Wires the toolbar `[data-curve-tools]`; calls `redraw` after each change. */
  function bindTools(redraw) {
    const form = document.querySelector("[data-curve-tools]");
    if (!form) return;
    const { smooth, log, x } = form.elements;
    const shown = view();
    smooth.value = shown.smooth;
    log.checked = shown.log;
    x.value = shown.x;
    const say = () => {
      form.querySelector("output").textContent = Number(smooth.value) ? Number(smooth.value).toFixed(2) : "off";
    };
    say();
    form.hidden = false;
    form.addEventListener("input", () => {
      say();
      remember({ smooth: Number(smooth.value), log: log.checked, x: x.value });
      redraw();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  Object.assign(window.Maestro, { view, curveOptions, curveRows, bindTools, smoothed });
})();
