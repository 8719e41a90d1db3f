/** Run by itself, with an addon's path: loads it, runs one op and prints TensorFlow's version. */
import * as tf from '@tensorflow/tfjs';
import { loadNative, prepareEnvironment } from '../loadAddon.js';

// What it says is kept for the case that it fails.
process.env['TF_CPP_MIN_LOG_LEVEL'] = '1';
prepareEnvironment(undefined);
const { tensorflow } = loadNative(process.argv[2] ?? '');
const [sum] = tf.add(tf.tensor1d([2]), tf.tensor1d([3])).dataSync();
if (tf.getBackend() !== 'tensorflow' || sum !== 5) throw new Error(`2 + 3 gave ${sum} on ${tf.getBackend()}`);
console.log(`TensorFlow ${tensorflow}`);
