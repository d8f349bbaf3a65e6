// Draws dashboards/lastro.json with the data of a Prometheus, by the components that Grafana itself draws with (npm's
// @grafana/ui) in a headless Chromium. It is no Grafana: menus, pickers and alerts' marks are left out.
//
//   npm ci && node draw.mjs --prometheus http://127.0.0.1:9090 [--from UNIX-SECONDS] [--to UNIX-SECONDS] [--out FOLDER]
//
// It writes dashboard.png, the first three rows, and dashboard-more.png, the others. Without times: the last 15 minutes.
// CHROMIUM names the browser where it is not /usr/bin/chromium.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import path from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { answers, seconds } from "./prometheus.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const MODULES = path.join(HERE, "node_modules");
const WIDTH = 1600;
const FIRST_ROWS = 3;

const { values: options } = parseArgs({
  options: {
    prometheus: { type: "string" },
    from: { type: "string" },
    to: { type: "string" },
    out: { type: "string", default: path.dirname(HERE) },
    interval: { type: "string", default: "15s" }, // timeInterval of the provisioned data source
  },
});
if (!options.prometheus) throw new Error("--prometheus: its address, such as http://127.0.0.1:9090");
const to = Number(options.to ?? Date.now() / 1000);
const range = { from: Number(options.from ?? to - 15 * 60), to };
const interval = seconds(options.interval);

const dashboard = JSON.parse(await readFile(path.join(HERE, "..", "dashboards", "lastro.json"), "utf8"));
const panels = [];
for (const panel of dashboard.panels) {
  const points = Math.round((WIDTH * panel.gridPos.w) / 24);
  const found = await answers(options.prometheus, panel, range, points, interval);
  for (const { target, result } of found) {
    if (result.length === 0) console.warn(`no data: ${panel.title}: ${target.expr}`);
  }
  panels.push({ panel, answers: found });
}
const starts = panels.filter(({ panel }) => panel.type === "row").map(({ panel }) => panel.gridPos.y);
const cut = starts[FIRST_ROWS];

const { outputFiles } = await build({
  entryPoints: [path.join(HERE, "panels.jsx")],
  nodePaths: [MODULES],
  bundle: true,
  write: false,
  outdir: "/",
  format: "iife",
  jsx: "automatic",
  minify: true,
  logLevel: "error",
  define: { "process.env.NODE_ENV": '"production"', "process.env.JEST_WORKER_ID": "undefined", global: "window" },
  loader: { ".woff": "dataurl", ".woff2": "dataurl", ".ttf": "dataurl", ".svg": "dataurl" },
});
const bundled = (end) => outputFiles.find(({ path }) => path.endsWith(end))?.text ?? "";

// Without a sandbox it runs in containers too; the page is our own.
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const errors = [];
try {
  const page = await browser.newPage({ viewport: { width: WIDTH, height: 900 }, timezoneId: "UTC", locale: "en-GB" });
  page.on("pageerror", (error) => errors.push(error));
  const html = `<!doctype html><meta charset="utf-8"><style>${bundled(".css")}</style><body><div id="dashboard"></div>`;
  // Nothing is fetched from anywhere: icons come from the package, all else is refused.
  await page.route("**/*", async (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname === "/") return route.fulfill({ contentType: "text/html", body: html });
    const icon = pathname.match(/img\/icons\/([a-z]+\/[\w-]+\.svg)$/)?.[1];
    if (!icon) return route.abort();
    const body = await readFile(path.join(MODULES, "@grafana", "ui", "dist", "public", "img", "icons", icon));
    return route.fulfill({ contentType: "image/svg+xml", body });
  });
  await page.goto("http://picture.invalid/");
  await page.addScriptTag({ content: bundled(".js") });
  const parts = { "dashboard.png": [0, cut], "dashboard-more.png": [cut, Infinity] };
  for (const [name, [first, end]] of Object.entries(parts)) {
    const shown = panels.filter(({ panel }) => panel.gridPos.y >= first && panel.gridPos.y < end);
    const height = await page.evaluate((all) => window.draw(all), { dashboard, shown, range, width: WIDTH });
    await page.setViewportSize({ width: WIDTH, height: Math.ceil(height) });
    await page.evaluate(() => document.fonts.ready);
    await page.waitForLoadState("networkidle");
    await page.waitForTimeout(1000); // charts are drawn in the frame after their layout
    if (errors.length > 0) throw errors[0];
    await page.screenshot({ path: path.join(options.out, name) });
    console.log(`${name}: ${shown.length} panels, ${WIDTH} x ${Math.ceil(height)}`);
  }
} finally {
  await browser.close();
}
