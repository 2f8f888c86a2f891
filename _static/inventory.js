// A concept inventory (_ext/inventory.py): the folds with the answers are hidden until every question
// is answered; then counts are shown by unit, and kept in the reader's own browser to be compared.
document.addEventListener("DOMContentLoaded", () => {
  for (const form of document.querySelectorAll("form.inventory")) {
    const questions = [...form.querySelectorAll("fieldset")];
    const place = form.querySelector(".inventory-result");
    const status = place.querySelector("[role=status]");
    const { get: taken, set: keep } = keptIn(form.dataset.name, []);
    const say = (tag, text, to = status) => {
      const node = document.createElement(tag);
      node.textContent = text;
      return to.appendChild(node);
    };
    const fold = (hidden) => {
      for (const question of questions) question.querySelector("details").hidden = hidden;
    };

    const table = (results) => {
      const units = [...new Set(questions.map((question) => question.dataset.unit))];
      const wrap = status.appendChild(document.createElement("div"));
      wrap.className = "inventory-table";
      const rows = wrap.appendChild(document.createElement("table"));
      const head = rows.appendChild(document.createElement("tr"));
      for (const text of ["Unit", ...results.map((result) => result.day)]) {
        say("th", text, head).scope = "col";
      }
      for (const unit of [...units, "together"]) {
        const row = rows.appendChild(document.createElement("tr"));
        const name = row.appendChild(document.createElement("th"));
        name.scope = "row";
        if (unit === "together") name.textContent = unit;
        else say("a", unit, name).href = `../chapters/${unit}.html`;
        for (const { units: counts } of results) {
          const [right, of] = counts[unit] ?? [0, 0];
          say("td", `${right} of ${of}`, row);
        }
      }
    };

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      status.replaceChildren();
      const open = questions.filter((question) => !question.querySelector("input:checked"));
      if (open.length) {
        const numbers = open.map((question) => Number.parseInt(question.textContent, 10));
        say("p", `Not answered yet: ${numbers.join(", ")}. If you don't know, take what seems likeliest.`);
        open[0].querySelector("input").focus();
        return;
      }
      const counts = { together: [0, questions.length] };
      for (const question of questions) {
        const { unit, right } = question.dataset;
        const chosen = question.querySelector("input:checked").value;
        const count = (counts[unit] ??= [0, 0]);
        count[1] += 1;
        if (chosen === right) {
          count[0] += 1;
          counts.together[0] += 1;
        }
      }
      fold(false);
      const results = [...taken(), { day: new Date().toLocaleDateString("en-CA"), units: counts }];
      keep(results.slice(-4));
      say("p", `${counts.together[0]} of ${questions.length} are right. Under each question there is a fold now, with its answer.`);
      table(results.slice(-4));
    });
    place.querySelector("[type=button]").addEventListener("click", () => {
      keep([]);
      status.replaceChildren();
      say("p", "Forgotten.");
    });

    fold(true);
    place.hidden = false;
    if (taken().length) {
      say("p", "Your results so far:");
      table(taken());
    }
  }
});
