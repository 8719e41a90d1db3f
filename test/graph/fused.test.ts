/** What holds compiled steps against eager ones holds fused ones, too. */
import { vi } from 'vitest';
import { mode } from '../support/compiled.js';
import '../nn/secondOrder.test.js';
import '../train/agreement.test.js';
import './compile.test.js';
import './loop.test.js';
import './random.test.js';

// Small ones too.
vi.mock(import('../../src/graph/fuse/worth.js'), () => ({ isWorthIt: () => true }));
mode.fuse = true;
