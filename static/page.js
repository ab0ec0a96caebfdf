/* What every page has: keys, copying, relative times, the navigation drawer, rows that poll while they are live. */
"use strict";

(() => {
  const POLL_MS = 2000;
  const GO = { h: 0, p: "projects", r: "runs", a: "artifacts", i: "impact" };
  let waitingForGo = false;

  const TICKS = "input[type=checkbox], input[type=radio], input[type=button], input[type=submit]";
  const isTyping = (node) => node.closest("input, textarea, select, [contenteditable]") && !node.matches(TICKS);

  function focusSearch() {
    const boxes = [...document.querySelectorAll("[data-focus-key='/'], #searchbar")].filter((box) => box.offsetParent);
    const best = boxes.find((box) => !box.closest("#header")) || boxes[0];
    if (best) {
      best.focus();
      best.select();
    }
  }

  function openShortcuts() {
    const dialog = document.querySelector("dialog.shortcuts");
    if (dialog && !dialog.open) dialog.showModal();
  }

  function go(key) {
    if (!(key in GO)) return;
    const links = [...document.querySelectorAll("#side a")];
    const link = GO[key] === 0 ? links[0] : links.find((item) => item.textContent.trim().toLowerCase() === GO[key]);
    if (link) link.click();
  }

  /** Rows of lists, and of every table in sight whose rows lead somewhere. */
  const ROWS = "table[data-rows] tbody tr, #result_list tbody tr, #content tbody tr:has(> th a[href])";
  const rows = () => [...document.querySelectorAll(ROWS)].filter((row) => row.getClientRects().length);

  /** What a key found nothing to do with is said, to eyes and to screen readers. */
  let unsaying = 0;
  function say(text) {
    const place = document.querySelector("[data-said]");
    if (!place) return;
    clearTimeout(unsaying);
    place.textContent = text;
    unsaying = setTimeout(() => {
      place.textContent = "";
    }, 4000);
  }

  function moveRow(step) {
    const all = rows();
    if (!all.length) {
      say(
        document.querySelector(".empty, .filter-box, #changelist")
          ? "This list is empty: there is no row to go to."
          : "This page has no list.",
      );
      return;
    }
    const at = all.findIndex((row) => row.classList.contains("is-at"));
    const place = Math.min(Math.max(at + step, 0), all.length - 1);
    mark(all, place);
    history.replaceState({ ...history.state, row: place }, "");
  }

  /** Who comes back to a list goes on from the row that they left. */
  function markAgain() {
    const place = history.state && history.state.row;
    const all = rows();
    if (Number.isInteger(place) && all[place]) mark(all, place);
  }

  function mark(all, place) {
    const next = all[place];
    all.forEach((row) => row.classList.toggle("is-at", row === next));
    const link = next.querySelector("th a, td a");
    (link || next).focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  function press(selector) {
    const node = document.querySelector(selector);
    if (node && !node.disabled) node.click();
    return Boolean(node);
  }

  const NO_ROW = "No row is marked; j marks the first.";
  const tickRow = () =>
    press("tr.is-at input[type=checkbox]") ||
    say(document.querySelector("tr.is-at") ? "This row can't be selected." : NO_ROW);

  function focusHeads() {
    const head = document.querySelector("a[data-sort], #result_list th.sortable .text a");
    if (head) head.focus();
    else
      say(rows().length ? "This list has no columns to order by." : "There is nothing to order: this list is empty.");
  }

  /** Space and arrows belong to the page until a row is marked, and to whatever has the focus if it takes them. */
  function onRows(act) {
    return (event) => {
      const isFree =
        document.querySelector("tr.is-at") && !event.target.closest("button, summary, input, .chart-scroll");
      if (!isFree) return;
      event.preventDefault();
      act();
    };
  }

  /** Enter on a row whose link has lost the focus still opens it. */
  function openRow(event) {
    if (event.target === document.body) press("tr.is-at th a, tr.is-at td a");
  }

  function openViews() {
    const menu = document.querySelector("details.views");
    if (!menu) {
      say("This page has no saved views.");
      return;
    }
    menu.open = !menu.open;
    const first = menu.querySelector("a, input[type=text]");
    if (menu.open && first) first.focus();
  }

  const KEYS = {
    "/": focusSearch,
    "?": openShortcuts,
    j: () => moveRow(1),
    k: () => moveRow(-1),
    ArrowDown: onRows(() => moveRow(1)),
    ArrowUp: onRows(() => moveRow(-1)),
    " ": onRows(tickRow),
    Enter: openRow,
    x: tickRow,
    e: () =>
      press("tr.is-at [data-eye]") ||
      say(document.querySelector("tr.is-at") ? "This row has no line to hide." : NO_ROW),
    s: focusHeads,
    v: () => press("[data-layout][aria-pressed=false]") || say("This page has no other layout."),
    o: openViews,
    c: () => press("[data-compare]") || say("There is nothing to compare here."),
    r: () => press("[data-runs]") || say("No runs belong to this page; g then r lists all."),
    n: () => press("a[rel=next]") || say("There is no next page."),
    g: () => {
      waitingForGo = true;
      setTimeout(() => {
        waitingForGo = false;
      }, 1200);
    },
  };

  document.addEventListener("keydown", (event) => {
    if (
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      isTyping(event.target) ||
      document.querySelector("dialog[open]")
    )
      return;
    if (waitingForGo) {
      waitingForGo = false;
      go(event.key);
      return;
    }
    if (KEYS[event.key]) {
      if (event.key === "/") event.preventDefault();
      KEYS[event.key](event);
    }
  });

  /** Escape leaves a field for the list, and closes a menu. */
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    const menu = event.target.closest("details.pop[open], details.person[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (isTyping(event.target)) event.target.blur();
  });

  document.addEventListener("click", (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) copyText(copy);
    if (event.target.closest(".shortcuts-open")) openShortcuts();
    document.querySelectorAll("details.person[open], details.pop[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });

  async function copyText(button) {
    const use = button.querySelector("use");
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      const box = document.createElement("textarea");
      box.value = button.dataset.copy;
      document.body.append(box);
      box.select();
      document.execCommand("copy");
      box.remove();
      button.focus();
    }
    if (!use) return;
    use.setAttribute("href", "#i-check");
    button.title = "Copied";
    setTimeout(() => {
      use.setAttribute("href", "#i-copy");
      button.title = "Copy";
    }, 1500);
  }

  const UNITS = [
    [31557600, "y"],
    [2629800, "mo"],
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
  ];

  function refreshTimes() {
    document.querySelectorAll("time[datetime]:not([data-fixed])").forEach((node) => {
      const seconds = (Date.now() - Date.parse(node.dateTime)) / 1000;
      const unit = UNITS.find(([size]) => Math.abs(seconds) >= size);
      const text = unit ? `${Math.floor(Math.abs(seconds) / unit[0])} ${unit[1]}` : "";
      const shown = !text ? "just now" : seconds < 0 ? `in ${text}` : `${text} ago`;
      if (node.textContent !== shown) node.textContent = shown;
    });
  }

  function bindDrawer() {
    const button = document.querySelector(".nav-open");
    const shade = document.querySelector(".nav-shade");
    if (!button || !shade) return;
    const set = (open) => {
      document.body.classList.toggle("nav-is-open", open);
      button.setAttribute("aria-expanded", String(open));
      shade.hidden = !open;
      if (open) document.querySelector("#side a").focus();
    };
    button.addEventListener("click", () => set(!document.body.classList.contains("nav-is-open")));
    shade.addEventListener("click", () => set(false));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && document.body.classList.contains("nav-is-open")) {
        set(false);
        button.focus();
      }
    });
  }

  /** `[data-poll]` asks its address every two seconds and shows `fields` until the answer says `live: false`. */
  async function poll(node) {
    try {
      const answer = await fetch(node.dataset.poll, {
        headers: { Accept: "application/json" },
        credentials: "same-origin",
      });
      if (!answer.ok) return;
      const body = await answer.json();
      Object.entries(body.fields || {}).forEach(([name, value]) =>
        node.querySelectorAll(`[data-field="${CSS.escape(name)}"]`).forEach((place) => {
          if (place.tagName === "PROGRESS") place.value = Number(value);
          else if (place.textContent !== String(value)) place.textContent = String(value);
        }),
      );
      if (body.live) setTimeout(() => poll(node), POLL_MS);
      else if (node.dataset.reloadWhenDone) location.reload();
    } catch {
      setTimeout(() => poll(node), POLL_MS * 5);
    }
  }

  /** The stock admin's own widgets, made by its scripts, say to a screen reader what they are. */
  function nameWidgets() {
    document.querySelectorAll("span.help-tooltip[aria-label]").forEach((mark) => mark.setAttribute("role", "img"));
    document.querySelectorAll("select.select2-hidden-accessible").forEach((select) => {
      const box = select.nextElementSibling && select.nextElementSibling.querySelector("[role=combobox]");
      const label = select.labels && select.labels[0];
      if (!box || !label) return;
      const name = label.textContent.replace(/:\s*$/, "");
      box.removeAttribute("aria-labelledby");
      [box, ...box.querySelectorAll("[role=textbox]")].forEach((part) => part.setAttribute("aria-label", name));
    });
  }

  window.addEventListener("load", () => setTimeout(nameWidgets, 0));
  document
    .querySelectorAll("form[data-submit-on-change]")
    .forEach((form) => form.addEventListener("change", () => form.requestSubmit()));
  document.querySelectorAll("[data-poll]").forEach((node) => setTimeout(() => poll(node), POLL_MS));
  bindDrawer();
  markAgain();
  refreshTimes();
  setInterval(refreshTimes, 30000);
})();
