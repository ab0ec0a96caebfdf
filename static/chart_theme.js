/* Colours of charts come from the page's CSS variables, so a chart follows light, dark and the system's choice. */
"use strict";
window.Maestro = window.Maestro || {};

(() => {
  const probe = document.createElement("span");

  /** The colour a CSS variable stands for now, as rgb(): light-dark() is resolved by the browser. */
  function token(name) {
    if (!probe.isConnected) {
      probe.hidden = true;
      document.body.append(probe);
    }
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  }

  /** Four significant digits. */
  function sig(value) {
    if (value === null || value === undefined || value === "" || value === "-") return "–";
    const number = Number(value);
    if (!Number.isFinite(number)) return String(value);
    if (Number.isInteger(number) && Math.abs(number) < 1e15) return number.toLocaleString("en");
    const size = Math.abs(number);
    if (size < 1e-4 || size >= 1e9) return number.toExponential(3);
    return number.toLocaleString("en", { minimumSignificantDigits: 4, maximumSignificantDigits: 4 });
  }

  function intervalBar(params, api) {
    const [low, high] = [api.coord([api.value(0), api.value(2)]), api.coord([api.value(1), api.value(2)])];
    const stroke = { stroke: api.visual("color"), lineWidth: 2, fill: null };
    const line = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style: stroke });
    return {
      type: "group",
      children: [
        line(low[0], low[1], high[0], high[1]),
        line(low[0], low[1] - 4, low[0], low[1] + 4),
        line(high[0], high[1] - 4, high[0], high[1] + 4),
      ],
    };
  }

  const BOX = { width: 188, height: 42 };

  /** A thing of a lineage: a box with its name, cut in the middle by the server, and its kind. */
  function box(params, api) {
    const [x, y] = api.coord([api.value(0), api.value(1)]);
    const shape = { x: x - BOX.width / 2, y: y - BOX.height / 2, ...BOX, r: 6 };
    const font = getComputedStyle(document.body).fontFamily;
    const words = (text, dy, size, color) => ({
      type: "text",
      silent: true,
      style: {
        text,
        x,
        y: y + dy,
        align: "center",
        verticalAlign: "middle",
        width: BOX.width - 12,
        overflow: "truncate",
        fill: token(color),
        font: `${size}px ${font}`,
      },
    });
    return {
      type: "group",
      children: [
        { type: "rect", shape, style: { fill: token("surface"), stroke: token(api.value(3)), lineWidth: 1.5 } },
        words(api.value(2), -7, 12, "text"),
        words(api.value(4), 9, 11, "muted"),
      ],
    };
  }

  /** What leads from one thing to another: a curve with an arrow's head. */
  function link(params, api) {
    const [x1, y1] = api.coord([api.value(0), api.value(1)]);
    const [x2, y2] = api.coord([api.value(2), api.value(3)]);
    const [start, end] = [x1 + BOX.width / 2, x2 - BOX.width / 2 - 2];
    const bend = Math.max((end - start) / 2, 16);
    const stroke = { stroke: api.visual("color"), fill: null, lineWidth: 1.2 };
    const head = [
      [end - 7, y2 - 4],
      [end, y2],
      [end - 7, y2 + 4],
    ];
    return {
      type: "group",
      children: [
        {
          type: "bezierCurve",
          shape: { x1: start, y1, x2: end, y2, cpx1: start + bend, cpy1: y1, cpx2: end - bend, cpy2: y2 },
          style: stroke,
        },
        { type: "polygon", shape: { points: head }, style: { fill: api.visual("color") } },
      ],
    };
  }

  const renderers = { interval: intervalBar, box, link };

  /** A copy of server-made options with `token:` colours and named functions put in. */
  function resolve(value, key) {
    if (Array.isArray(value))
      return value.length > 3 && typeof value[0] === "number" ? value : value.map((item) => resolve(item));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, resolve(item, name)]));
    }
    if (typeof value !== "string") return value;
    if (key === "renderItem") return renderers[value];
    return value.startsWith("token:") ? token(value.slice(6)) : value;
  }

  const pen = document.createElement("canvas").getContext("2d");

  /** A name as it fits so many pixels, cut in its middle: what tells two apart stands at their ends as often. */
  function fitted(name, most) {
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const letters = [...String(name)];
    const whole = pen.measureText(letters.join("")).width;
    if (whole <= most) return letters.join("");
    for (let kept = Math.floor((letters.length * most) / whole); kept > 2; kept -= 1) {
      const tail = Math.floor((kept - 1) / 2);
      const cut = `${letters.slice(0, kept - 1 - tail).join("")}…${letters.slice(letters.length - tail).join("")}`;
      if (pen.measureText(cut).width <= most) return cut;
    }
    return "…";
  }

  /** The most that names beside the rows of a chart take of its width. */
  const NAMES = 0.42;

  /** Options whose names beside rows fit a canvas, however wide it will be. */
  function withNames(options, canvas) {
    if (!options.yAxis || options.yAxis.type !== "category") return options;
    const formatter = (name) => fitted(name, NAMES * canvas.clientWidth);
    const yAxis = { ...options.yAxis, axisLabel: { ...options.yAxis.axisLabel, formatter } };
    const widths = options.yAxis.data.map((name) => pen.measureText(formatter(name)).width);
    const { left, right } = options.grid;
    const middle = (left + MARGIN + Math.max(0, ...widths) + canvas.clientWidth - right) / 2;
    return { ...options, yAxis, xAxis: withUnit(options.xAxis, middle, canvas.clientWidth) };
  }

  const MARGIN = 8;

  /** A unit stands below the middle of its axis; too near to the edge it ends below the middle, or is cut. */
  function withUnit(axis, middle, width) {
    if (!axis.name) return axis;
    const [before, around] = [middle - MARGIN, 2 * (width - middle - MARGIN)];
    const name = fitted(axis.name, Math.max(before, around));
    const isWide = pen.measureText(name).width > around;
    return { ...axis, name, nameTextStyle: { ...axis.nameTextStyle, ...(isWide && { align: "right" }) } };
  }

  /** Each axis names the font: without, names are measured in another than they are drawn in, and cut. */
  function axisStyle(grid) {
    const fontFamily = getComputedStyle(document.body).fontFamily;
    return {
      axisLine: { lineStyle: { color: token("border") } },
      axisTick: { lineStyle: { color: token("border") } },
      axisLabel: { color: token("muted"), hideOverlap: true, fontFamily },
      nameTextStyle: { color: token("muted"), fontFamily },
      splitLine: { show: grid, lineStyle: { color: token("border"), opacity: 0.6 } },
    };
  }

  /** What all charts share: palette, type, axes, tooltips drawn on the canvas (HTML ones need inline styles). */
  function theme() {
    const font = getComputedStyle(document.body).fontFamily;
    const series = [1, 2, 3, 4, 5, 6, 7, 8].map((index) => token(`series-${index}`));
    return {
      color: series,
      backgroundColor: "transparent",
      textStyle: { fontFamily: font, fontSize: 12, color: token("text") },
      categoryAxis: axisStyle(false),
      valueAxis: axisStyle(true),
      logAxis: axisStyle(true),
      timeAxis: axisStyle(false),
      parallelAxis: axisStyle(false),
      parallel: { parallelAxisDefault: axisStyle(false) },
      legend: {
        textStyle: { color: token("text") },
        pageTextStyle: { color: token("muted") },
        itemWidth: 24,
        itemHeight: 12,
        pageIconColor: token("accent"),
        pageIconInactiveColor: token("border"),
      },
      tooltip: {
        backgroundColor: token("surface"),
        borderColor: token("border"),
        borderWidth: 1,
        padding: 8,
        textStyle: { color: token("text"), fontSize: 12, fontFamily: font },
      },
    };
  }

  Object.assign(window.Maestro, { token, sig, resolve, theme, withNames });
})();
