"""Names beside and below charts are drawn whole, or cut by us with an ellipsis: never by the edge of the canvas."""

from collections.abc import Callable

import pytest

from tests.browser.conftest import Look, Site
from tests.browser.places import pages_of

pytestmark = pytest.mark.browser
# Every text of every drawn chart that reaches beyond its canvas, as it is measured in the font that it is drawn in.
CUT = """() => {
  const found = [], pen = document.createElement("canvas").getContext("2d");
  for (const canvas of document.querySelectorAll("[data-drawn] .chart-canvas")) {
    const chart = echarts.getInstanceByDom(canvas);
    if (!chart) continue;
    for (const part of chart.getZr().storage.getDisplayList(true)) {
      const text = part.style && part.style.text;
      const isPaged = part.__clipPaths && part.__clipPaths.length; // a legend's other pages
      if (part.type !== "tspan" || !text || part.invisible || part.ignore || isPaged) continue;
      pen.font = part.style.font;
      const width = pen.measureText(text).width, at = part.transform || [1, 0, 0, 1, 0, 0];
      const shift = { center: 0.5, right: 1, end: 1 }[part.style.textAlign] || 0;
      const lefts = [part.style.x - shift * width, part.style.x + (1 - shift) * width];
      const xs = lefts.map((x) => at[0] * x + at[2] * part.style.y + at[4]);
      if (Math.min(...xs) < -1 || Math.max(...xs) > chart.getWidth() + 1) found.push(text);
    }
  }
  return found;
}"""
# The same charts with longer names beside their rows, which leave less room for all else.
LONGER = """() => {
  for (const canvas of document.querySelectorAll("[data-drawn] .chart-canvas")) {
    const chart = echarts.getInstanceByDom(canvas), [axis] = (chart && chart.getOption().yAxis) || [];
    if (!axis || axis.type !== "category") continue;
    chart.setOption({ animation: false, yAxis: { data: axis.data.map((name) => `${name}, which has a longer name`) } });
    chart.getZr().flush();
  }
}"""
WITH_CHARTS = (
    "home",
    "project",
    "impact",
    "what_if",
    "compare",
    "storage",
    "calibration",
    "artifact",
    "version",
    "run",
)
DRAWN = "() => document.querySelectorAll('[data-drawn] .chart-canvas canvas').length"


@pytest.mark.parametrize("width", [1440, 390])
def test_no_label_of_a_chart_is_cut_by_its_edge(look: Callable[..., Look], site: Site, width: int) -> None:
    seen, cut, drawn = look(width, "light"), {}, 0
    for name, url in pages_of(site).items():
        if not name.startswith(WITH_CHARTS):
            continue
        seen.open(url)
        drawn += seen.page.evaluate(DRAWN)
        if found := seen.page.evaluate(CUT):
            cut[name] = found
        seen.page.evaluate(LONGER)
        if found := [text for text in seen.page.evaluate(CUT) if text.endswith("name")]:
            cut[f"{name}, with longer names"] = found
    assert drawn > 20
    assert cut == {}
