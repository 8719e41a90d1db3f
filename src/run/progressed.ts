/** What the position and the history in a checkpoint must be to go on from them. */
import { cannot } from '../common/errors.js';
import type { EpochResult, Position } from '../train/events.js';

const isWhole = (value: unknown, least: number) => Number.isSafeInteger(value) && (value as number) >= least;
const isShare = (value: unknown) => typeof value === 'number' && value >= 0 && value <= 1;
const isTime = (value: unknown) => typeof value === 'number' && Number.isFinite(value) && value >= 0;

/**
 * Position and history as found in a file, or undefined unless they fit: one result for each epoch before the one under
 * way. Copies, without whatever else the file may say.
 */
export function progressedFrom(found: { position?: unknown; history?: unknown }) {
  const position = (found.position ?? {}) as Position;
  const history = found.history as EpochResult[];
  if (!isPosition(position) || !Array.isArray(history) || !history.every(isResult)) return undefined;
  if (position.epoch !== history.length + 1 || (position.batch === 0) !== (position.examples === 0)) return undefined;
  return { position: copyPosition(position), history: history.map(copyResult) };
}

function isPosition({ epoch, batch, loss, correct, examples, seconds }: Partial<Position>): boolean {
  return (
    isWhole(epoch, 1) &&
    [batch, correct, examples].every((value) => isWhole(value, 0)) &&
    (correct ?? 0) <= (examples ?? 0) &&
    Number.isFinite(loss) &&
    isTime(seconds)
  );
}

function copyPosition({ epoch, batch, loss, correct, examples, seconds }: Position): Position {
  return { epoch, batch, loss, correct, examples, seconds };
}

function isResult(result: Partial<EpochResult> | null, index: number): boolean {
  return (
    result?.epoch === index + 1 &&
    Number.isFinite(result.loss) &&
    isShare(result.trainAccuracy) &&
    isShare(result.testAccuracy) &&
    isTime(result.examplesPerSecond) &&
    isTime(result.seconds)
  );
}

function copyResult({
  epoch,
  loss,
  trainAccuracy,
  testAccuracy,
  examplesPerSecond,
  seconds,
}: EpochResult): EpochResult {
  return { epoch, loss, trainAccuracy, testAccuracy, examplesPerSecond, seconds };
}

/** Throws a BnTrainError that names `origin` where the position was reached with another batch size. */
export function assertBatchSize({ batch, examples }: Position, batchSize: number, origin: string): void {
  if (batch === Math.ceil(examples / batchSize)) return;
  throw cannot(`resume ${origin}`, {
    expected: `${batch} batches of ${batchSize}, as config.json says, in its checkpoint`,
    got: `${examples} examples`,
    hint: 'config.json was changed or belongs to another run; start a new run instead',
  });
}
