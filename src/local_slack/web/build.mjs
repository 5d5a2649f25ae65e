// Builds ../page/built from src/ and index.html. The same sources give the same bytes.
// `source` in the page is a hash over what it was built from; tests/unit/test_page_built.py
// computes it again, so that a change that was not built is noticed without Node.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const target = "../page/built";
const folders = readdirSync("src", { recursive: true, withFileTypes: true });
const inSrc = folders.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
const roots = ["build.mjs", "index.html", "package-lock.json", "package.json", "tsconfig.json"];
const sources = [...inSrc, ...roots].sort((a, b) => (a < b ? -1 : 1));

// Both are MIT, which asks for the notice in every copy.
const licenses = ["preact", "slack-message-parser"]
  .map((name) => `/*! ${name}\n${readFileSync(`node_modules/${name}/LICENSE`, "utf8")}*/`)
  .join("\n");

function hash(parts) {
  const sum = createHash("sha256");
  for (const part of parts) sum.update(part);
  return sum.digest("hex");
}

await build({
  entryPoints: { app: "src/main.tsx" },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  outdir: target,
  legalComments: "inline",
  charset: "utf8",
  banner: { js: licenses },
});
mkdirSync(target, { recursive: true });
const source = hash(sources.flatMap((name) => [`${name}\n`, readFileSync(name)]));
const built = hash(["app.css", "app.js"].map((name) => readFileSync(join(target, name))));
const page = readFileSync("index.html", "utf8");
writeFileSync(
  join(target, "index.html"),
  page.replace("{source}", source).replace("{built}", built),
);
