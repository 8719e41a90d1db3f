/** The function against the float64 reference: outputs, moving statistics and gradients, on ordinary and hard inputs. */
import { analysisOf, evaluate, type Numbers, QUANTITIES, type Quantity, referenceOf } from '../apply.js';
import { type Case, hardCases, ordinaryCases } from '../cases.js';
import { type Check, type Comparison, type Subject, within } from '../check.js';

const BOTH = [true, false];
const GRADIENTS: Quantity[] = ['∂x', '∂γ', '∂β'];

export function agreementChecks(): Check[] {
  const check = (name: string, example: Case, modes: boolean[], of: readonly Quantity[]): Check => ({
    name,
    run: ({ batchNorm }: Subject) =>
      modes.flatMap((training) => agree(example, training, evaluate(batchNorm, example, training), of)),
  });
  return [
    ...ordinaryCases().flatMap((example) => [
      check(`forward in training, ${example.name}`, example, [true], ['y']),
      check(`forward in inference, ${example.name}`, example, [false], ['y']),
      check(`moving statistics, ${example.name}`, example, BOTH, ['movingMean', 'movingVariance']),
      check(`gradient in training, ${example.name}`, example, [true], GRADIENTS),
      check(`gradient in inference, ${example.name}`, example, [false], GRADIENTS),
    ]),
    ...hardCases().map((example) => check(`hard input: ${example.name}`, example, BOTH, QUANTITIES)),
  ];
}

/**
 * What was computed for a case, against the reference. Tolerances are the bounds of src/verify/bounds/analysis.ts for the
 * very numbers of the case; nothing else is allowed for. In inference the moving statistics' are 0: they come back bit for bit.
 */
export function agree(
  example: Case,
  training: boolean,
  got: Numbers,
  of: readonly Quantity[] = QUANTITIES,
): Comparison[] {
  const [expected, bounds] = [referenceOf(example, training), analysisOf(example, training)];
  return of.map((quantity) => within(quantity, expected[quantity], got[quantity], bounds[quantity]));
}
