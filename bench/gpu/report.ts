/** One JSON object from all that bench/gpu.sh recorded. */
import type { FinalResult } from '../../dist/train/events.js';
import { accuracyCriterion, type Criterion, speedCriteria } from './criteria.js';
import type { Speed } from '../../dist/bench/figures.js';
import { endOf, errorsOf, jsonOf, type Recording, type Step, type StepError } from './recorded.js';
import { type Utilization, utilizationOf } from './utilization.js';

interface Doctor {
  facts: { label: string; value: string }[];
}
interface Verification {
  checks: { name: string; verdict: 'pass' | 'fail' | 'not applicable' }[];
  seconds: number;
}
interface Run {
  epochs: object[];
  final: FinalResult;
}

export interface GpuReport {
  /** False while steps are still to come. */
  finished: boolean;
  device: string;
  gpu: Record<'name' | 'driver' | 'memory' | 'computeCapability', string> | Absent;
  /** What `bn-train doctor --json` printed, its facts by their labels. */
  doctor: object;
  verify: object | undefined;
  pytorch: { version: string } | Absent;
  /** What `bn-train bench --json` printed. */
  bench: { speeds: Speed[] } | undefined;
  training: Record<string, Run>;
  utilization: Utilization | Absent;
  criteria: Criterion[];
  errors: StepError[];
  steps: Record<string, { command: string; seconds: number }>;
}

interface Absent {
  absent: string;
}

export interface Measured {
  recording: Recording;
  /** Lines of nvidia-smi, see `utilizationOf`; empty where none were taken. */
  samples: string;
  device: string;
  finished: boolean;
}

/** Nothing in it is left out silently: what failed is among its errors, and what there is not says why. */
export function gpuReport({ recording, samples, device, finished }: Measured): GpuReport {
  const bench = (jsonOf(recording['bench']) ?? jsonOf(recording['bench-alone'])) as GpuReport['bench'];
  const training = Object.fromEntries(
    ['training', 'training-cpu', 'sampled'].flatMap((name) => {
      const run = jsonOf(recording[name]) as Run | undefined;
      return run ? [[name, run]] : [];
    }),
  );
  const [onDevice, onCpu] = [training['training']?.final, training['training-cpu']?.final];
  return {
    finished,
    device,
    gpu: gpuOf(recording['gpu']),
    doctor: doctorOf(recording),
    verify: verifyOf(recording['verify']),
    pytorch: pytorchOf(recording['pytorch']),
    bench,
    training,
    utilization: utilizationOf(samples, training['sampled']?.epochs.length ?? 0) ?? {
      absent: 'no sample of nvidia-smi',
    },
    criteria: [
      ...speedCriteria(bench?.speeds ?? [], device),
      ...(onDevice && onCpu ? [accuracyCriterion(onDevice, onCpu)] : []),
    ],
    errors: errorsOf(recording, ['pytorch']),
    steps: Object.fromEntries(
      Object.entries(recording).map(([name, { command, seconds }]) => [name, { command, seconds }]),
    ),
  };
}

/** Where the doctor of a recording found the data set; empty if it did not. */
export function dataFolder(recording: Recording): string {
  return factsOf(recording).find(({ label }) => label === 'data set')?.value ?? '';
}

function doctorOf(recording: Recording): object {
  const facts = Object.fromEntries(factsOf(recording).map(({ label, value }) => [label, value]));
  return { ...(jsonOf(recording['doctor']) as Doctor | undefined), facts };
}

function factsOf(recording: Recording): Doctor['facts'] {
  return (jsonOf(recording['doctor']) as Doctor | undefined)?.facts ?? [];
}

function gpuOf(step: Step | undefined): GpuReport['gpu'] {
  if (!step) return { absent: 'not asked for' };
  if (step.code !== 0) return { absent: endOf(step.stderr || step.stdout) };
  const [name = '', driver = '', memory = '', computeCapability = ''] = step.stdout.trim().split(', ');
  return { name, driver, memory: `${memory} MiB`, computeCapability };
}

function pytorchOf(step: Step | undefined): GpuReport['pytorch'] {
  if (!step) return { absent: 'not looked for yet' };
  return step.code === 0 ? { version: step.stdout.trim() } : { absent: endOf(step.stderr) };
}

function verifyOf(step: Step | undefined): GpuReport['verify'] {
  const result = jsonOf(step) as Verification | undefined;
  if (!result) return undefined;
  const { checks, ...facts } = result;
  const of = (verdict: string) => checks.filter((check) => check.verdict === verdict);
  return { ...facts, passed: of('pass').length, failed: of('fail'), notApplicable: of('not applicable') };
}
