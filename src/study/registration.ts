/** The registration: what each claim is, by which trials, measures and margins it is judged, fixed before any of them is run. */
import * as v from 'valibot';
import { cannot } from '../common/errors.js';
import { aboveZero, numberThat, oneOf, parseShaped, type Shape, text, whole } from '../common/shape.js';

/** In the order in which they are reported, each with the names of what is held against its criteria. */
const PARTS = {
  'moving-average': ['gap'],
  'vanishing-gradients': ['none', 'batch'],
  'exploding-gradients': ['batch', 'none'],
  convergence: ['best'],
  'learning-rates': ['range'],
  'final-accuracy': ['difference'],
  noise: ['noisy', 'instability'],
  'scale-invariance': ['curve', 'function', 'gradient', 'growth', 'contrast'],
  regularization: ['gap'],
  'small-batches': ['interaction', 'drop'],
} as const;

type Parts = typeof PARTS;
export type ClaimId = keyof Parts;
export const CLAIM_IDS = Object.keys(PARTS) as ClaimId[];

const finite = numberThat('a number', () => true);
const name = text('a name', /^[a-z][a-z -]*$/);
const share = numberThat('a number between 0 and 1', (value) => value > 0 && value < 1);
const seeds = v.pipe(v.array(whole(1, 2 ** 31 - 1)), v.minLength(1, 'at least one seed'));

const MODEL = v.variant('kind', [
  v.object({
    kind: v.literal('lenet'),
    norm: oneOf('a norm of LeNet', ['none', 'batch', 'builtin', 'noisy', 'group']),
  }),
  v.object({
    kind: v.literal('mlp'),
    depth: whole(1),
    width: whole(1),
    activation: oneOf('an activation', ['sigmoid', 'relu']),
    norm: oneOf('a norm of a stack', ['none', 'batch']),
  }),
]);

const WATCH = oneOf('something to watch', [
  'epochs',
  'training-set',
  'momenta',
  'images',
  'gradients',
  'instability',
  'norms',
]);

const EXTENT = v.object({
  /** Only where the block's rates are given. */
  learningRates: v.optional(v.array(aboveZero)),
  batchSizes: v.array(whole(1)),
  /** The first so many training images. */
  examples: whole(1),
  epochs: whole(0),
  seeds,
  decayAt: v.optional(share),
  weightScales: v.optional(v.array(aboveZero)),
  watchEvery: v.optional(whole(1)),
});

/** Trials of one kind: every arm at every rate, batch size, scale and seed. Claims share them. */
const BLOCK = v.object({
  arms: v.record(v.string(), v.object({ model: MODEL, watch: v.array(WATCH) })),
  /** `best`: each arm's own, by its training loss in the block `tuning`; `edges`: around the largest at which it trains there. */
  rates: oneOf('given, best or edges', ['given', 'best', 'edges']),
  /** The batch size that the rates are for; others have theirs in proportion. */
  ratesFor: v.optional(whole(1)),
  full: EXTENT,
  /** Null: a quick study does without. */
  quick: v.nullable(EXTENT),
});

const PART = v.object({
  measure: text(),
  unit: text(),
  /** Over seeds; geometric for ratios. */
  mean: oneOf('arithmetic or geometric', ['arithmetic', 'geometric']),
  /**
   * `above`, `below`: the interval wholly so; `inside`: wholly between two margins; `each-below`, `each-above`: every seed's
   * value, with no statistics, as for an identity.
   */
  rule: oneOf('a rule', ['above', 'below', 'inside', 'each-below', 'each-above']),
  margins: v.array(finite),
  /** Not a part of the claim: where it fails, the claim was not put to the test. */
  check: v.optional(v.literal(true)),
});

const LITERATURE = v.object({ text: text(), value: v.nullable(finite), source: text() });

function claimShape<const K extends string>(parts: readonly K[]) {
  return v.object({
    text: text(),
    question: text(),
    hypothesis: text(),
    literature: LITERATURE,
    blocks: v.pipe(v.array(name), v.minLength(1, 'at least one block')),
    parts: v.object(Object.fromEntries(parts.map((part) => [part, PART])) as Record<K, typeof PART>),
    /** Numbers that a measure needs beside its margins. */
    constants: v.record(v.string(), finite),
    /** Why a quick study leaves it out; null where it does not. */
    quickLeaves: v.nullable(text()),
  });
}

const REGISTRATION = v.object({
  version: whole(1),
  /** Of all claims' verdicts together in a full study (Bonferroni), of each in a quick one. */
  level: share,
  blocks: v.record(v.string(), BLOCK),
  claims: v.object(
    Object.fromEntries(CLAIM_IDS.map((id) => [id, claimShape(PARTS[id])])) as unknown as {
      [Id in ClaimId]: ReturnType<typeof claimShape<Parts[Id][number]>>;
    },
  ),
});

export type Registration = v.InferOutput<typeof REGISTRATION>;
export type Block = v.InferOutput<typeof BLOCK>;
export type Extent = v.InferOutput<typeof EXTENT>;
export type RegisteredPart = v.InferOutput<typeof PART>;
export type RegisteredClaim = Registration['claims'][ClaimId];

const FILE = 'data/claims.json';

/** Checks a registration; throws a BnTrainError that names the field. Its SHA-256 is that of the bytes. */
export function parseRegistration(bytes: Uint8Array): Registration {
  const found = parseShaped(REGISTRATION as Shape<Registration>, new TextDecoder().decode(bytes), FILE);
  for (const [id, { blocks }] of Object.entries(found.claims)) {
    const missing = blocks.find((block) => found.blocks[block] === undefined);
    if (missing !== undefined) {
      throw cannot(`read ${FILE}`, { expected: `a block named ${missing}, as ${id} asks for it`, got: 'none' });
    }
  }
  return found;
}

/** How sure an interval must be to decide. */
export function verdictLevel({ level }: Registration, quick: boolean): number {
  return quick ? level : 1 - (1 - level) / CLAIM_IDS.length;
}
