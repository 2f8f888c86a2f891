// What is wider than the page scrolls by itself, and can be reached from the keyboard.
document.addEventListener("DOMContentLoaded", () => {
  const wide = document.querySelectorAll(".bd-article :is(div.math, pre, .output.text_html, .pst-scrollable-table-container)");
  const watch = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  for (const each of wide) watch.observe(each);
});
