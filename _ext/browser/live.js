// Live exercises (_ext/live.py): a click brings an editor and Python into the page, and with them the
// check of the notebook. What a reader writes stays in their own browser, and leaves it as a notebook.
const liveFolder = new URL(".", document.currentScript.src);
document.addEventListener("DOMContentLoaded", () => {
  const LIMIT = 30_000; // milliseconds for one run
  const { get: kept, set: keep } = keptIn("answers", {});
  const typed = {}; // of this visit, for a browser that keeps nothing

  const add = (parent, tag, text = "", properties = {}) =>
    parent.appendChild(Object.assign(document.createElement(tag), { textContent: text }, properties));
  const codeOf = (cell) => cell.querySelector("pre").textContent.trimEnd();
  const before = (cell, box) => cell.compareDocumentPosition(box) & Node.DOCUMENT_POSITION_FOLLOWING;

  // Python: one worker a page, ended by stop() and started anew by the next run -----------------------
  let worker, settle, ran;
  let queue = Promise.resolve(); // one run after the other, whichever exercise asks
  const ask = (message) =>
    new Promise((resolve) => {
      settle = resolve;
      worker.onmessage = ({ data }) => (data.kind === "given" ? console.info(data.text) : resolve(data));
      worker.onerror = (event) => resolve({ kind: "broken", text: event.message || "the worker didn't start" });
      worker.postMessage(message);
    });
  const stop = (text) => {
    worker?.terminate();
    worker = undefined;
    settle?.({ kind: "stopped", text });
  };
  const run = (box, message) => (queue = queue.catch(() => {}).then(() => turn(box, message)));
  const turn = async (box, message) => {
    const given = [...document.querySelectorAll(".live-given")].filter((cell) => before(cell, box));
    if (!worker) {
      worker = new Worker(new URL("worker.js", liveFolder), { type: "module" });
      ran = new Set();
      const named = /wheels\/([^"]+\.whl)/.exec(codeOf(given[0]))[1]; // what the sheet installs
      const started = await ask({ wheel: new URL(`../../wheels/${named}`, liveFolder).href });
      if (started.kind !== "ready") {
        stop();
        return started;
      }
    }
    const fresh = given.filter((cell) => !ran.has(cell));
    for (const cell of fresh) ran.add(cell);
    const limit = setTimeout(() => stop(`Stopped after ${LIMIT / 1000} seconds. Does a loop never end?`), LIMIT);
    const outcome = await ask({ ...message, given: fresh.map(codeOf) });
    clearTimeout(limit);
    if (outcome.kind === "broken") stop();
    return outcome;
  };

  // The sheet with the reader's answers in it ----------------------------------------------------------
  const download = async () => {
    const source = document.querySelector('a.download[href$=".ipynb"]').href;
    const notebook = await (await fetch(source)).json();
    const answers = { ...kept(), ...typed };
    for (const cell of notebook.cells) {
      const { solution, grade_id } = cell.metadata.nbgrader ?? {};
      if (solution && typeof answers[grade_id] === "string") cell.source = answers[grade_id];
    }
    const file = new Blob([`${JSON.stringify(notebook, null, 1)}\n`], { type: "application/x-ipynb+json" });
    const href = URL.createObjectURL(file);
    Object.assign(document.createElement("a"), { href, download: source.split("/").at(-1) }).click();
    URL.revokeObjectURL(href);
  };

  // One exercise ---------------------------------------------------------------------------------------
  const SAID = {
    stopped: "Python starts anew with the next run; what other cells have defined is gone.",
    broken: "Python couldn't run here. Is the site served (not opened as a file), and the network there?",
  };
  const show = (output, { kind, text = "", said = "", html = "" }) => {
    output.replaceChildren();
    output.dataset.kind = kind;
    if (text.trim()) add(output, "pre", text.trimEnd());
    if (kind === "right") add(output, "p", `✓ ${said.trim()}`);
    output.insertAdjacentHTML("beforeend", html);
    if (kind === "ran" && !text.trim()) add(output, "p", "It ran, and printed nothing.");
    if (SAID[kind]) add(output, "p", SAID[kind]);
  };

  const begin = async (box) => {
    const name = box.dataset.exercise;
    const [answer, check] = box.querySelectorAll(".cell");
    const offer = box.querySelector(".live-start");
    const stub = codeOf(answer);
    const output = Object.assign(document.createElement("div"), { className: "live-output" });
    output.setAttribute("role", "status");
    const { edit } = await import(new URL("editor.js", liveFolder));
    const host = document.createElement("div");
    answer.replaceWith(host);
    check.hidden = true;
    const bar = Object.assign(document.createElement("p"), { className: "live-bar" });
    offer.replaceWith(bar, output);

    const act = async (source, say) => {
      for (const button of buttons) button.disabled = button !== halt;
      output.replaceChildren();
      delete output.dataset.kind;
      add(output, "p", worker ? "Running …" : "Loading Python …");
      editor.mark(0);
      const outcome = await run(box, { name, source, check: say });
      show(output, outcome);
      editor.mark(outcome.line ?? 0);
      for (const button of buttons) button.disabled = button === halt;
      return outcome;
    };
    const tryOut = () => act(editor.text(), "");
    const judge = () => act(editor.text(), codeOf(check));
    const button = (text, onclick) => add(bar, "button", text, { type: "button", onclick });
    const halt = button("Stop", () => stop("Stopped."));
    const buttons = [
      button("Run", tryOut),
      button("Check", judge),
      halt,
      button("Begin anew", () => editor.replace(stub)),
      button("Download my notebook", download),
    ];
    bar.append(...buttons);
    halt.disabled = true;
    const keys = add(bar, "span", "Tab indents; Escape, then Tab leaves. Shift+Enter runs, Ctrl+Enter checks.", {
      id: `keys-${name}`,
    });
    const editor = edit(host, {
      text: kept()[name] ?? stub,
      label: { "aria-label": `Your answer to ${name}`, "aria-describedby": keys.id },
      keys: { "Shift-Enter": tryOut, "Mod-Enter": judge },
      changed: (text) => {
        typed[name] = text;
        keep({ ...kept(), [name]: text });
      },
    });
    editor.focus();
    const { kind } = worker ? { kind: "ran" } : await act("", ""); // Python is there when it is wanted
    if (kind === "ran") show(output, { kind, text: "Python is ready." });
  };

  for (const box of document.querySelectorAll(".live")) {
    const start = box.querySelector(".live-start button");
    if (kept()[box.dataset.exercise]) start.textContent = "Go on with your answer";
    start.addEventListener("click", () => {
      start.disabled = true;
      begin(box).catch((error) => {
        start.disabled = false;
        const said = box.querySelector(".live-output") ?? add(box, "div", "", { className: "live-output" });
        said.setAttribute("role", "status");
        show(said, { kind: "broken", text: String(error.message) });
      });
    });
  }
});
