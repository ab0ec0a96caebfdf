/* The run list: which runs are drawn and hidden, the column picker, saved views; links keep what is ticked now. */
"use strict";

(() => {
  const form = document.getElementById("run-form");
  if (!form) return;
  const MOST_DRAWN = 20;
  const boxes = () => [...form.querySelectorAll("input[type=checkbox][name=run]")];
  const chosen = () => [
    ...[...form.querySelectorAll("input[type=hidden][name=run]")].map((field) => field.value),
    ...boxes()
      .filter((box) => box.checked)
      .map((box) => box.value),
  ];
  const hidden = () => [...form.querySelectorAll("input[name=hide]")].map((field) => field.value);

  /** The page's address with the runs that are ticked and hidden now. */
  function current(href) {
    const url = new URL(href, location.href);
    url.searchParams.delete("run");
    url.searchParams.delete("hide");
    chosen().forEach((id) => url.searchParams.append("run", id));
    hidden().forEach((id) => url.searchParams.append("hide", id));
    ["smooth", "log", "x"].forEach((name) => {
      const value = new URLSearchParams(location.search).get(name);
      if (value) url.searchParams.set(name, value);
    });
    return url;
  }

  function remember() {
    history.replaceState(history.state, "", current(location.href));
  }

  function count() {
    const place = form.querySelector("[data-chosen-count]");
    const many = chosen().length;
    place.textContent = ` (${many})`;
    place.hidden = !many;
    const words = form.querySelector("[data-chosen-words]");
    if (words)
      words.textContent = many ? `${many} selected ${many === 1 ? "run" : "runs"}.` : "The first runs of the list.";
  }

  let waiting = 0;
  function draw() {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const first = boxes()
        .slice(0, 10)
        .map((box) => box.value);
      const ids = chosen().length ? chosen() : first;
      document.dispatchEvent(new CustomEvent("runs:drawn", { detail: { ids: ids.slice(0, MOST_DRAWN) } }));
    }, 250);
  }

  form.addEventListener("change", (event) => {
    if (event.target.name !== "run") return;
    count();
    remember();
    draw();
  });

  form.addEventListener("click", (event) => {
    const eye = event.target.closest("[data-eye]");
    if (!eye) return;
    const isShown = eye.getAttribute("aria-pressed") === "true";
    eye.setAttribute("aria-pressed", String(!isShown));
    eye.closest("tr").classList.toggle("is-hidden", isShown);
    if (isShown) {
      const field = Object.assign(document.createElement("input"), {
        type: "hidden",
        name: "hide",
        value: eye.dataset.eye,
      });
      form.append(field);
    } else {
      form
        .querySelectorAll(`input[name=hide][value="${CSS.escape(eye.dataset.eye)}"]`)
        .forEach((field) => field.remove());
    }
    remember();
    document.dispatchEvent(new CustomEvent("runs:hidden"));
  });

  document.addEventListener(
    "click",
    (event) => {
      const link = event.target.closest("a[data-keep]");
      if (link) link.href = current(link.href);
    },
    true,
  );

  form.addEventListener("submit", () => {
    const query = new URLSearchParams(location.search);
    ["smooth", "log", "x"].forEach((name) => {
      if (!query.get(name) || form.querySelector(`[name=${name}]`)) return;
      form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value: query.get(name) }));
    });
  });

  function bindColumns() {
    const picker = form.querySelector("[data-columns]");
    const box = picker && picker.querySelector("[data-find-columns]");
    if (!box) return;
    const words = picker.querySelector("[data-found-words]");
    let asked = 0;
    let timer = 0;

    function show(names) {
      const ticked = new Set([...picker.querySelectorAll("input[name=c]:checked")].map((field) => field.value));
      picker.querySelectorAll("fieldset[data-kind]").forEach((group) => {
        const list = group.querySelector(".choices");
        const kept = [...list.querySelectorAll("label")].filter((label) => label.querySelector("input").checked);
        const found = names.filter(
          (item) => item.kind === group.dataset.kind && !ticked.has(`${item.kind}.${item.name}`),
        );
        list.replaceChildren(...kept, ...found.map(choice));
        group.hidden = !list.children.length;
      });
      words.textContent = `${names.length} names found`;
    }

    function choice(item) {
      const label = document.createElement("label");
      const field = Object.assign(document.createElement("input"), {
        type: "checkbox",
        name: "c",
        value: `${item.kind}.${item.name}`,
      });
      label.append(field, ` ${item.name}`);
      return label;
    }

    async function find() {
      const mine = ++asked;
      const url = new URL(picker.dataset.columns, location.href);
      url.searchParams.set("q", box.value);
      const answer = await fetch(url, { credentials: "same-origin" });
      if (answer.ok && mine === asked) show((await answer.json()).names);
    }

    picker.addEventListener("toggle", () => {
      if (picker.open && !picker.querySelector("fieldset[data-kind] label")) find();
    });
    box.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(find, 150);
    });
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
  }

  document.querySelectorAll("[data-view-form]").forEach((menu) =>
    menu.addEventListener("submit", (event) => {
      const button = event.submitter;
      if (button && button.dataset.confirm && !confirm(button.dataset.confirm)) event.preventDefault();
      menu.elements.query.value = current(location.href).search.slice(1);
    }),
  );

  bindColumns();
  count();
})();
