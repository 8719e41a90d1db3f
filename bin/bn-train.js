#!/usr/bin/env -S node --max-semi-space-size=1
// The flag saves 28 MB: V8 would give its young objects 48 MB, and this program has few, as its numbers are TensorFlow's.
import './node.js';
import { catchSignals } from '../dist/cli/session.js';

catchSignals();
const { main } = await import('../dist/cli/main.js');
await main(process.argv);
