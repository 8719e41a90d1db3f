/** Own code of a model, recorded by itself: called again it tells, in little time, whether it computes what it did. */
import type * as tf from '@tensorflow/tfjs';
import type { NativeBackend } from '../binding.js';
import { countingSteps } from '../optimizerState.js';
import type { Draws } from '../record/layers.js';
import { record, type RecordedGraph } from '../record/record.js';
import { type OwnCall, tensorsIn } from './ownCode.js';

/** Whether it does. */
type Probe = () => boolean;

/** The probes of one step, from when it was recorded on. */
export class Probing {
  private probes: readonly Probe[] | undefined;

  constructor(private readonly make: () => Probe[] | undefined) {
    this.probes = make();
  }

  /** Whether all own code is known to do what it did. */
  get isSame(): boolean {
    return this.probes?.every((isSame) => isSame()) ?? false;
  }

  /** What it does now is what it is to do from now on. */
  renew(): void {
    this.probes = this.make();
  }
}

/** One for each call; undefined where one of them cannot do by itself, as with what others in the step computed. */
export function probesOf(
  backend: NativeBackend,
  calls: Iterable<OwnCall>,
  { variables, draws }: { variables: readonly tf.Variable[]; draws: Draws },
): Probe[] | undefined {
  const probe = ({ call, specs }: OwnCall): Probe => {
    // An optimizer is not to count these steps.
    const { step } = countingSteps((...tensors) => tensorsIn(call(tensors)));
    const by = (given: readonly tf.Variable[]) => record(backend, step, specs, given, { draws });
    // The fewer variables it has, the faster it is.
    const { again } = by(usedBy(by(variables), variables));
    return () => again(() => false);
  };
  try {
    return Array.from(calls, probe);
  } catch {
    // Then the whole step is called again.
    return undefined;
  }
}

function usedBy({ variables, nodes, outputs, updates }: RecordedGraph, all: readonly tf.Variable[]): tf.Variable[] {
  const read = new Set([...nodes.flatMap(({ inputs }) => inputs), ...outputs.map(({ id }) => id)]);
  return all.filter((_, i) => updates.has(i) || read.has(variables[i]?.id ?? NaN));
}
