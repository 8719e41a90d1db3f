/** Data that a page's script reads, standing in the page. */
import { Html } from './markup.js';

/** Five digits are more than any screen shows. */
function short(_: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(5)) : value;
}

/** JSON that cannot end its element, whatever it holds. */
export function embedded(data: unknown): Html {
  return new Html(`<script type="application/json">${JSON.stringify(data, short).replaceAll('<', '\\u003c')}</script>`);
}
