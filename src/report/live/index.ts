/** One script for both sides: Node draws charts by it, and the page that carries it makes them live. */
import { goLive } from './browser.js';
import { liveExplorer } from './explore.js';

export { svgOf } from './drawing.js';

if (typeof document !== 'undefined') {
  goLive(document);
  liveExplorer(document);
}
