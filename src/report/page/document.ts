/** The page around its sections: one file that asks nothing of any network. */
import { createHash } from 'node:crypto';
import { chartStyles } from './chartStyles.js';
import { Html, markup } from './markup.js';
import { pageStyles } from './pageStyles.js';
import { studyStyles } from './study/studyStyles.js';
import type { Texts } from './texts/index.js';

export interface Section {
  /** Unique in the page; a name as an address takes it. */
  id: string;
  /** Its heading, and its line in the contents. */
  title: string;
  body: Html;
}

export interface Page {
  texts: Texts;
  title: string;
  /** What stands above the contents. */
  head: Html;
  sections: Section[];
  /** Below everything. */
  foot: Html;
  /** What makes it live. */
  script: string;
}

/** The whole file; the same for the same page. */
export function documentOf({ texts: { page: texts }, title, head, sections, foot, script }: Page): string {
  const main = sections.map(
    ({ id, title: name, body }) => markup`<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${name}</h2>
${body}
</section>
`,
  );
  // Else a text in the script could end it.
  const inline = script.replaceAll('</script', '<\\/script');
  const policy = [
    "default-src 'none'",
    "style-src 'unsafe-inline'",
    'img-src data:',
    `script-src 'sha256-${createHash('sha256').update(inline).digest('base64')}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return markup`<!doctype html>
<html lang="${texts.lang}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${title}</title>
<style>${new Html(`${chartStyles}\n${pageStyles}\n${studyStyles}`)}</style>
</head>
<body>
<a class="skip" href="#main">${texts.skip}</a>
<header class="page">
<div class="bar"><span class="note">bn-train</span><button type="button" class="plain" id="theme" hidden>${texts.theme}</button></div>
<h1>${title}</h1>
${unbroken(head)}
</header>
<nav class="contents" aria-label="${texts.contents}"><ol>${sections.map(({ id, title: name }) => markup`<li><a href="#${id}">${name}</a></li>`)}</ol></nav>
<main id="main" tabindex="-1">
${main.map(unbroken)}</main>
<footer>${foot}</footer>
<script type="module">${new Html(inline)}</script>
</body>
</html>
`.toString();
}

/** No line ends between a number and its percent sign. */
function unbroken(html: Html): Html {
  return new Html(html.toString().replaceAll(/(?<=\d) %/g, '\u00a0%'));
}
