// One stylesheet for the site (_ext/light.py):
//   node style.cjs SITE TARGET SHEET... -- OWN...
// SHEETs lose the rules that no page and no script of SITE names; OWN ones are added as they are.
const { readdirSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const esbuild = require("esbuild");
const { PurgeCSS } = require("purgecss");

const [site, target, ...rest] = process.argv.slice(2);
const cut = rest.indexOf("--");

const joined = async (sheets) => {
  const contents = sheets.map((sheet) => `@import ${JSON.stringify(sheet)};`).join("\n");
  const result = await esbuild.build({
    stdin: { contents, loader: "css", resolveDir: site },
    bundle: true,
    minify: true,
    write: false,
    external: ["*.woff2", "*.ttf"], // the icons, beside which the result stands
    loader: { ".png": "dataurl" },
    logLevel: "error",
  });
  return result.outputFiles[0].text;
};

const main = async () => {
  const names = readdirSync(site, { recursive: true });
  const content = names.filter((name) => /\.(html|js)$/.test(name) && !/pyodide|fontawesome/.test(name));
  const [purged] = await new PurgeCSS().purge({
    css: [{ raw: await joined(rest.slice(0, cut)) }],
    content: content.map((name) => join(site, name)),
    // what scripts and the reader change
    dynamicAttributes: ["data-theme", "data-mode", "open", "hidden", "disabled", "aria-expanded"],
    variables: false,
    keyframes: true,
    fontFace: true,
  });
  writeFileSync(target, purged.css + (await joined(rest.slice(cut + 1))));
};
main().catch((error) => {
  console.error(error);
  process.exit(1);
});
