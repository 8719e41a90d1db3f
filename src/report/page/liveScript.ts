/** The script that makes a page's charts live, as the build left it. */
import { readFile } from 'node:fs/promises';

/** For one `<script type="module">` at the page's end, licence notices included. */
export async function liveScript(): Promise<string> {
  return readFile(new URL('../../../dist/report/live/index.js', import.meta.url), 'utf8');
}
