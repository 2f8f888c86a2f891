// What a page keeps in the reader's own browser, and nowhere else: keptIn("name", []) has get and set.
// What isn't there, or is of another shape than `empty`, is `empty`.
const keptIn = (name, empty) => {
  const key = `dlcourse:${name}`;
  return {
    get() {
      try {
        const found = JSON.parse(localStorage.getItem(key));
        const fits = found && typeof found === "object" && Array.isArray(found) === Array.isArray(empty);
        return fits ? found : structuredClone(empty);
      } catch {
        return structuredClone(empty); // a browser that keeps nothing, or no JSON under our name
      }
    },
    set(value) {
      try {
        localStorage.setItem(key, JSON.stringify(value));
      } catch {
        // it is shown all the same
      }
    },
  };
};
