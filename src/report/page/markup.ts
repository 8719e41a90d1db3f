/** HTML written as templates in which everything is escaped that is not HTML itself. */
import { escapeHtml } from '../live/look.js';

/** Text that is HTML already. */
export class Html {
  constructor(private readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

type Part = string | number | Html | undefined | readonly (string | number | Html)[];

/** markup`<p>${text}</p>`: text is escaped, what is HTML stays, lists follow each other, undefined is nothing. */
export function markup(strings: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(strings.map((string, i) => `${string}${i < parts.length ? written(parts[i]) : ''}`).join(''));
}

function written(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Html) return part.toString();
  return typeof part === 'object' ? part.map(written).join('') : escapeHtml(String(part));
}
