/** One script for both sides: Node draws charts by it, and the page that carries it makes them live. */
import { goLive } from './browser.js';

export { svgOf } from './drawing.js';

if (typeof document !== 'undefined') goLive(document);
