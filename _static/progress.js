// Where a reader is: how far each chapter and sheet was read stays in the reader's own browser. The
// front page offers to go on; the list of pages marks what was read to its end.
document.addEventListener("DOMContentLoaded", () => {
  const ENOUGH = 0.95; // of a page: below lie its sources
  const root = document.documentElement.dataset.content_root ?? "./";
  const pageOf = (url) => {
    const base = new URL(root, location.href).pathname;
    return url.pathname.startsWith(base) ? url.pathname.slice(base.length) : "";
  };
  const { get: kept, set: keep } = keptIn("read", {});

  const page = pageOf(new URL(location.href));
  const article = document.querySelector("article");
  if (/^(chapters|exercises)\//.test(page) && article) {
    const title = article.querySelector("h1").firstChild.textContent.trim();
    const note = () => {
      const box = article.getBoundingClientRect();
      const seen = Math.min(1, Math.max(0, (innerHeight - box.top) / box.height));
      const sections = [...article.querySelectorAll("section[id]")];
      const above = sections.filter((section) => section.getBoundingClientRect().top < innerHeight / 2);
      const pages = kept();
      const share = Math.max(seen, Number(pages[page]?.share) || 0);
      pages[page] = { title, share, place: above.at(-1)?.id ?? "", time: Date.now() };
      keep(pages);
    };
    // a page that was only opened hasn't been begun
    let moved = false;
    const leave = () => (moved || scrollY > 0) && note();
    addEventListener("scroll", () => (moved = true), { passive: true });
    addEventListener("pagehide", leave);
    document.addEventListener("visibilitychange", () => document.hidden && leave());
  }

  const pages = kept();
  for (const link of document.querySelectorAll(".bd-sidebar-primary a[href]")) {
    if ((pages[pageOf(new URL(link.href))]?.share ?? 0) >= ENOUGH) link.classList.add("was-read");
  }

  const start = document.querySelector(".start");
  const begun = Object.entries(pages).filter(([, each]) => each?.title && each.share < ENOUGH);
  if (page === "" || page === "index.html") {
    const [last] = begun.sort(([, a], [, b]) => b.time - a.time);
    if (start && last) {
      const [name, { title, share, place }] = last;
      const offer = document.createElement("p");
      offer.className = "go-on";
      const link = offer.appendChild(document.createElement("a"));
      link.href = `${root}${name}${place ? `#${encodeURIComponent(place)}` : ""}`;
      link.textContent = `Go on reading: ${title}`;
      offer.append(`, ${Math.round(100 * share)} % read. `);
      const forget = offer.appendChild(document.createElement("button"));
      forget.type = "button";
      forget.textContent = "Forget what I read";
      forget.title = "It is kept in this browser only.";
      forget.addEventListener("click", () => {
        keep({});
        for (const link of document.querySelectorAll(".was-read")) link.classList.remove("was-read");
        offer.textContent = "Forgotten.";
      });
      start.before(offer);
    }
  }
});
