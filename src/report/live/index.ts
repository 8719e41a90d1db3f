/** One script for both sides: Node draws charts by it, and the page that carries it makes them live. */
import { goLive } from './browser.js';
import { liveControls } from './controls.js';
import { liveSliders } from './sliders.js';
import { liveExplorer } from './explore.js';

export { svgOf } from './drawing.js';

if (typeof document !== 'undefined') {
  goLive(document);
  liveControls(document);
  liveSliders(document);
  liveExplorer(document);
}
