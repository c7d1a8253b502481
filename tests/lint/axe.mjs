// Runs axe-core over every letter, on a light phone and a dark desktop, and looks for sideways scrolling; exits 1 on any finding.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import puppeteer from "puppeteer-core";

const [directory, chromium] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await puppeteer.launch({ executablePath: chromium, args: ["--no-sandbox", "--disable-quic", "--disable-background-networking"] });
let violations = 0, checked = 0;
for (const file of readdirSync(directory).filter((name) => /^E-.*\.html$/.test(name))) {
  for (const [scheme, width] of [["light", 375], ["dark", 640]]) {
    const page = await browser.newPage();
    await page.setViewport({ width, height: 900 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    await page.goto("file://" + resolve(join(directory, file)));
    await page.evaluate(axe);
    const result = await page.evaluate(() => axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (overflow > 0) { violations++; console.log(`${file} ${scheme} ${width}: ${overflow} px wider than the screen`); }
    for (const violation of result.violations) {
      violations++;
      console.log(`${file} ${scheme} ${width}: ${violation.id}: ${violation.help}: ${violation.nodes.slice(0, 2).map((node) => node.html.slice(0, 120) + " " + (node.any[0]?.message ?? "")).join(" | ")}`);
    }
    checked++;
    await page.close();
  }
}
await browser.close();
console.log(`axe: ${checked} pages, ${violations} violations`);
process.exit(violations ? 1 : 0);
