// Recall questions (_ext/recall.py): the first choice that a reader opens is the answer. It is kept in
// the reader's own browser, and the page of all questions (_ext/review.py) shows those that are due.
document.addEventListener("DOMContentLoaded", () => {
  const DAY = 24 * 3600 * 1000;
  const STEPS = [1, 3, 7, 16, 35, 90]; // days until a question comes back
  const root = document.documentElement.dataset.content_root ?? "./";
  const { get: kept, set: keep } = keptIn("recall", {});
  const isDue = (answer) => answer && answer.due <= Date.now();
  const add = (parent, tag, text) => {
    const node = document.createElement(tag);
    node.textContent = text;
    return parent.appendChild(node);
  };

  // a right answer before its day says little, so it moves nothing
  const note = (name, right) => {
    const answers = kept();
    const last = answers[name];
    if (right && last && !isDue(last)) return;
    const step = right && last ? Math.min(last.step + 1, STEPS.length - 1) : 0;
    answers[name] = { right, step, due: Date.now() + STEPS[step] * DAY };
    keep(answers);
  };

  const box = document.querySelector(".review");
  const blocks = [...document.querySelectorAll(".recall")];
  const nameOf = (block) => block.id.replace(/^recall-/, "");
  const answered = new Set();
  for (const block of blocks) {
    const said = block.appendChild(document.createElement("p"));
    said.setAttribute("role", "status");
    said.className = "visually-hidden";
    block.addEventListener("toggle", ({ target }) => {
      if (!target.open) return;
      const right = target.classList.contains("recall-right");
      said.textContent = right ? "Right." : "Wrong.";
      if (answered.has(block)) return;
      answered.add(block);
      note(nameOf(block), right);
      if (box) say();
    }, true); // toggle doesn't bubble
  }

  let all = false;
  const say = () => {
    const answers = kept();
    const due = blocks.filter((block) => isDue(answers[nameOf(block)]));
    const count = Object.keys(answers).length;
    for (const block of blocks) block.hidden = !all && !due.includes(block) && !answered.has(block);
    for (const section of document.querySelectorAll("section[id^=review-]")) {
      section.hidden = ![...section.querySelectorAll(".recall")].some((block) => !block.hidden);
      const entry = document.querySelector(`.bd-sidebar-secondary a[href="#${section.id}"]`);
      if (entry) entry.parentElement.hidden = section.hidden;
    }
    const next = Math.min(...Object.values(answers).map(({ due }) => due));
    const words = !count
      ? "You haven't answered any question yet. Open a choice in a chapter, or here."
      : due.length
        ? `${due.length} of the ${count} questions that you have answered are due.`
        : `None is due today. You have answered ${count} of ${blocks.length}; the next comes back on ${new Date(next).toLocaleDateString("en", { day: "numeric", month: "long" })}.`;
    box.querySelector("[role=status]").textContent = words;
  };
  if (box) {
    add(box, "p", "").setAttribute("role", "status");
    const show = add(box, "button", "Show all questions");
    const forget = add(box, "button", "Forget my answers");
    for (const button of [show, forget]) button.type = "button";
    show.addEventListener("click", () => {
      all = !all;
      show.textContent = all ? "Show what is due" : "Show all questions";
      say();
    });
    forget.addEventListener("click", () => {
      keep({});
      answered.clear();
      for (const open of document.querySelectorAll(".recall [open]")) open.open = false;
      say();
    });
    box.hidden = false;
    say();
  }

  const start = document.querySelector(".start");
  const waiting = Object.values(kept()).filter(isDue).length;
  if (start && waiting) {
    const offer = document.createElement("p");
    offer.className = "due";
    const link = add(offer, "a", `${waiting} ${waiting > 1 ? "questions" : "question"} to answer again`);
    link.href = `${root}pages/review.html`;
    start.before(offer);
  }
});
