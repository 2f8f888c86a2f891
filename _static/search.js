// Search as one types needs Sphinx's scripts and the index of the whole course: they come with the first
// word, not with each page. The theme calls Search.performSearch, which those scripts define anew.
if (!/\/search(\.html)?$/.test(location.pathname)) {
  const load = (name) =>
    new Promise((resolve, reject) => {
      const root = document.documentElement.dataset.content_root ?? "./";
      const script = Object.assign(document.createElement("script"), { src: root + name });
      script.onload = resolve;
      script.onerror = () => reject(new Error(`search couldn't load ${name}`));
      document.head.append(script);
    });
  let loaded;
  window.Search = {
    async performSearch(query) {
      loaded ??= (async () => {
        for (const name of ["_static/searchtools.js", "_static/language_data.js", "searchindex.js"]) await load(name);
      })();
      await loaded;
      Search.performSearch(query);
    },
  };
}
