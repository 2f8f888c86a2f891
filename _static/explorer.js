// Figures with controls (dlcourse/explorer.py): every line was drawn when the book was built; this
// shows the ones that belong to the settings. Sliders and menus are the browser's own, so the
// keyboard works as everywhere.
document.addEventListener("DOMContentLoaded", () => {
  for (const figure of document.querySelectorAll("figure.explorer")) {
    const { sizes, paths, shown, says } = JSON.parse(figure.querySelector("script").textContent);
    const lines = figure.querySelectorAll("[data-line]");
    const controls = [...figure.querySelectorAll("select, input")];
    const caption = figure.querySelector("figcaption");
    const show = () => {
      let at = 0;
      controls.forEach((control, k) => {
        const index = control.matches("select") ? control.selectedIndex : Number(control.value);
        at = at * sizes[k] + index;
        if (control.matches("input")) {
          const text = JSON.parse(control.dataset.texts)[index];
          control.setAttribute("aria-valuetext", text);
          control.nextElementSibling.textContent = text;
        }
      });
      lines.forEach((line, k) => line.setAttribute("d", paths[shown[at][k]]));
      caption.textContent = says[at];
    };
    const form = figure.querySelector("form");
    form.addEventListener("input", show);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    show(); // a browser that comes back to the page keeps where its sliders stood
  }
});
