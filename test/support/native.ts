/** For tests on the real native backend: import this first. */
import { openBackend } from '../../src/runtime/open.js';

export const backend = await openBackend('native');
