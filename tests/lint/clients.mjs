// Which features the letters use that Gmail, Apple Mail or Outlook lack (caniemail.com); exits 1 on one that is not
// listed here with the reason why the letter is fine without it.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { doIUseEmail } from "@jsx-email/doiuse-email";

const fine = {
  "@media": "dark colours and narrower margins on phones: without it the letter is light and a little tighter",
  "<body> element": "its background and margin are repeated on the first div",
  "role attribute": "semantics only",
  "aria-hidden attribute": "semantics only",
  "aria-label attribute": "the bars' numbers and days are text beside them",
  "HTML5 semantics": "<main> without styles of its own",
  "border-radius": "square corners are fine",
  "display:none": "the preheader then shows as a first line",
  "overflow": "only on the hidden preheader, and on code that wraps otherwise",
  "white-space": "code then wraps at its spaces",
  "word-break": "long addresses then make the page wider, nothing else",
  "max-width": "Outlook gets its 600 px from a conditional table",
  "tabindex attribute": "semantics only",
};

const missing = new Map();
for (const file of readdirSync(process.argv[2]).filter((name) => /^E-.*\.html$/.test(name))) {
  const { errors = [] } = doIUseEmail(readFileSync(join(process.argv[2], file), "utf8"), { emailClients: ["gmail.*", "apple-mail.*", "outlook.*"] });
  for (const error of errors) {
    const feature = /`(.+?)` is not supported by `(.+?)`/.exec(error);
    if (feature && !(feature[1] in fine)) missing.set(`${feature[1]}: ${feature[2]}`, file);
  }
}
for (const [what, file] of missing) console.log(`${what} (first in ${file})`);
process.exit(missing.size ? 1 : 0);
