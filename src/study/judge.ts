/** From the trials that are there to what they say of each claim. */
import { convergence } from './claims/convergence.js';
import { explodingGradients } from './claims/explodingGradients.js';
import { finalAccuracy } from './claims/finalAccuracy.js';
import { learningRates } from './claims/learningRates.js';
import { movingAverage } from './claims/movingAverage.js';
import { noise } from './claims/noiseAfter.js';
import { regularization } from './claims/regularization.js';
import { scaleInvariance } from './claims/scaleInvariance.js';
import { smallBatches } from './claims/smallBatches.js';
import { vanishingGradients } from './claims/vanishingGradients.js';
import type { Evidence, Finding } from './evidence.js';
import { blockNamed, extentOf, isLeft, type Planned, plannedOf, trialKey, TUNING } from './plan.js';
import { CLAIM_IDS, type ClaimId, type RegisteredPart, type Registration, verdictLevel } from './registration.js';
import type { ClaimResult, StudyResult, Verdict } from './result.js';
import type { Trial, TrialRecord } from './trial.js';
import { compound, judgePart } from './verdict.js';

const FINDINGS: { [Id in ClaimId]: (evidence: Evidence<Id>) => Finding<Id> } = {
  'moving-average': movingAverage,
  'vanishing-gradients': vanishingGradients,
  'exploding-gradients': explodingGradients,
  convergence,
  'learning-rates': learningRates,
  'final-accuracy': finalAccuracy,
  noise,
  'scale-invariance': scaleInvariance,
  regularization,
  'small-batches': smallBatches,
};

interface Judged {
  claims: ClaimResult[];
  left: StudyResult['left'];
}

/**
 * The asked claims in the registration's order, from whichever of their trials are among the records; `nameOf` names the
 * file that a trial is kept in.
 */
export function judge(
  registration: Registration,
  asked: readonly ClaimId[],
  quick: boolean,
  records: readonly TrialRecord[],
  nameOf: (trial: Trial) => string,
): Judged {
  const ids = CLAIM_IDS.filter((id) => asked.includes(id));
  const left = ids.filter((id) => isLeft(registration, id, quick));
  return {
    claims: ids.filter((id) => !left.includes(id)).map((id) => judgeClaim(id, registration, quick, records, nameOf)),
    left: left.map((id) => ({ claim: id, why: registration.claims[id].quickLeaves ?? '' })),
  };
}

function judgeClaim(
  id: ClaimId,
  registration: Registration,
  quick: boolean,
  records: readonly TrialRecord[],
  nameOf: (trial: Trial) => string,
): ClaimResult {
  const claim = registration.claims[id];
  const known = new Map(records.map((record) => [trialKey(record.trial), record]));
  const blocks = new Map(claim.blocks.map((name) => [name, plannedOf(registration, name, quick, records)]));
  const runsOf = (name: string) =>
    (blocks.get(name) ?? []).flatMap(({ arm, trial }) => {
      const record = known.get(trialKey(trial));
      return record === undefined ? [] : [{ arm, trial, record }];
    });
  const finding = findingOf(id, {
    claim,
    block: (name) => ({ seeds: extentOf(blockNamed(registration, name), quick)?.seeds ?? [], runs: runsOf(name) }),
  });
  const parts = Object.entries<RegisteredPart>(claim.parts).map(([name, part]) => ({
    check: part.check === true,
    ...judgePart(part, finding.measured[name as keyof typeof finding.measured], verdictLevel(registration, quick)),
  }));
  const [first] = parts;
  const missing = [...blocks.values()].flat().filter(({ trial }) => !known.has(trialKey(trial))).length;
  return {
    claim: id,
    text: claim.text,
    question: claim.question,
    hypothesis: claim.hypothesis,
    verdict: compound(parts),
    effect: first?.effect ?? null,
    interval: first?.interval ?? null,
    unit: first?.unit ?? '',
    criterion: first?.criterion ?? '',
    parts: parts.map(({ check: _, ...part }) => part),
    literature: claim.literature,
    secondary: finding.secondary,
    pictures: finding.pictures,
    remarks: [
      ...finding.remarks,
      ...[...blocks].flatMap(([name, planned]) => rateRemarks(registration, name, quick, planned)),
      ...checkRemarks(parts),
      ...(missing === 0 ? [] : [`${missing} trials are missing.`]),
    ],
    trials: [...new Set([...blocks.keys()].flatMap(runsOf).map(({ trial }) => nameOf(trial)))],
  };
}

/** Which rates were chosen as the best, and whether the grid may have been too short for that. */
function rateRemarks(registration: Registration, name: string, quick: boolean, planned: readonly Planned[]): string[] {
  if (blockNamed(registration, name).rates !== 'best') return [];
  const grid = plannedOf(registration, TUNING, quick, []).map(({ trial }) => trial.learningRate);
  const chosen = new Map(planned.map(({ arm, trial }) => [arm, trial.learningRate]));
  return [...chosen].map(([arm, rate]) => {
    const edge = rate === Math.min(...grid) || rate === Math.max(...grid);
    const words = edge ? ', at the edge of the grid, which may have been too short' : '';
    return `${arm === 'batch' ? 'batch normalization' : arm}: the best learning rate is ${rate}${words}.`;
  });
}

function findingOf<Id extends ClaimId>(id: Id, evidence: Evidence<Id>): Finding<Id> {
  return FINDINGS[id](evidence);
}

function checkRemarks(parts: readonly { check: boolean; verdict: Verdict; measure: string }[]): string[] {
  const failed = parts.filter(({ check, verdict }) => check && verdict !== 'holds');
  return failed.map(({ measure }) => `Undecided, as the claim was not put to the test: ${measure}.`);
}
