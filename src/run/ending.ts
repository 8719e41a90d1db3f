/** The result that a run ended with, as its events.jsonl has it. */
import * as path from 'node:path';
import { cannot, messageOf } from '../common/errors.js';
import { codeOf, describeFileError, readBounded } from '../common/files.js';
import { check } from '../common/shape.js';
import type { FinalResult } from '../train/events.js';
import { FINAL } from './checkpoint.js';

/** Of a run of very many epochs, with several lines each. */
const LIMIT = 2 ** 26;

/** Undefined for a run that has not ended. Throws a BnTrainError where the file is damaged. */
export async function readEnding(runFolder: string): Promise<FinalResult | undefined> {
  const file = path.join(runFolder, 'events.jsonl');
  const content = await readBounded(file, LIMIT).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw cannot(`read ${file}`, { expected: "a run's events", got: describeFileError(error), cause: error });
  });
  // A killed process may have left half a line, and a run that goes on has no end any more.
  const last = content?.toString().trimEnd().split('\n').at(-1) ?? '';
  return last.includes('"type":"end"') ? parseEnding(last, file) : undefined;
}

function parseEnding(line: string, file: string): FinalResult {
  const refuse = (got: string) => cannot(`read ${file}`, { expected: 'the result of a run in its last line', got });
  let found: unknown;
  try {
    found = JSON.parse(line);
  } catch (error) {
    throw refuse(messageOf(error));
  }
  const result = check(FINAL, found);
  if ('value' in result) return result.value;
  throw refuse(`no ${result.problem.field} that is ${result.problem.expected}`);
}
