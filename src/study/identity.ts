/** What decides a trial's numbers besides the trial itself, and the name that follows from both. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { sha256Of } from '../common/files.js';
import type { Trial } from './trial.js';

/** Trials of one identity may be judged together, wherever they were computed. */
export interface Identity {
  /** Of the code that computes a trial. */
  code: string;
  tensorflow: string;
  device: string;
  /** The native addon, with this project's own kernels in it. */
  addon: string;
  /** What is generated code made with, where trials run fused; else "none". */
  kernels: string;
  /** TensorFlow's, of each trial. */
  threads: number;
  /** SHA-256 of the data set. */
  data: string;
}

/** Of the code on which a trial's numbers depend: what runs it, with all that this loads. */
export function trialCode(): Promise<string> {
  return codeHash(new URL('runTrial.js', import.meta.url));
}

/** Of a file and of all files of this program that it loads, as they are built. */
export async function codeHash(entry: URL): Promise<string> {
  const texts = new Map<string, string>();
  const visit = async (file: URL): Promise<void> => {
    if (texts.has(file.href)) return;
    const text = await readFile(fileURLToPath(file), 'utf8');
    texts.set(file.href, text);
    for (const [, name = ''] of text.matchAll(IMPORTED)) await visit(new URL(name, file));
  };
  await visit(entry);
  // Where the program lies does not matter, nor in which order it is read.
  return short(sha256Of([...texts.values()].map(sha256Of).sort().join('\n')));
}

/** What a line of built code imports from this program itself. */
const IMPORTED = /(?:\bfrom|\bimport\(?)\s*['"](\.{1,2}\/[^'"]+)['"]/g;

const short = (hash: string) => hash.slice(0, 16);

/** "lenet-batch-lr1-b256-60000x10-seed3-0123456789abcdef": to be read, and told apart by what stands last. */
export function trialName(trial: Trial, identity: Identity): string {
  const { model, learningRate, batchSize, examples, epochs, seed } = trial;
  const net = model.kind === 'lenet' ? 'lenet' : `${model.activation}${model.depth}x${model.width}`;
  const hash = short(sha256Of(canonical({ identity, trial })));
  return `${net}-${model.norm}-lr${learningRate}-b${batchSize}-${examples}x${epochs}-seed${seed}-${hash}`;
}

/** JSON that is the same for equal values, in whichever order their fields were written. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
