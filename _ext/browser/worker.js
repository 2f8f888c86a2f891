// Python in a worker of its own, so that the page stays alive and can end what doesn't end by itself.
import { loadPyodide } from "./pyodide.mjs";

const bytes = async (url) => {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${answer.status} for ${url}`);
  return answer.arrayBuffer();
};

const start = async (wheel) => {
  const indexURL = new URL(".", import.meta.url).href;
  const [pyodide, course, runner] = await Promise.all([
    loadPyodide({ indexURL, packages: ["numpy"] }),
    bytes(wheel),
    bytes(new URL("runner.py", import.meta.url)),
  ]);
  pyodide.unpackArchive(course, "wheel");
  pyodide.runPython(new TextDecoder().decode(runner), { filename: "<runner>" });
  return pyodide.runPython("Sheet()");
};

let sheet;
onmessage = async ({ data: { wheel, given, name, source, check } }) => {
  try {
    if (wheel) sheet = await start(wheel);
    for (const cell of given ?? []) {
      const failed = sheet.given(cell);
      if (failed) postMessage({ kind: "given", text: failed });
    }
    postMessage(name ? JSON.parse(sheet.run(name, source, check)) : { kind: "ready" });
  } catch (error) {
    postMessage({ kind: "broken", text: String(error.message ?? error) });
  }
};
