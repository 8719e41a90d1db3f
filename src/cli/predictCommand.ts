/** `bn-train predict`: what a saved run's network says of images. */
import { Command, InvalidArgumentError } from 'commander';
import type { RunConfig } from '../run/config.js';
import type { Position } from '../train/events.js';
import { type AskedImage, fromFile, fromTest, isTest, splitWords } from './askedImages.js';
import { addPlaceOptions, midEpochOption, type PlaceOptions } from './options.js';
import { aboutRun, loadOwnData, openRun } from './savedRun.js';
import { type Session, withSession } from './session.js';

interface PredictFlags extends PlaceOptions {
  /** Undefined where the image's background decides. */
  invert?: boolean;
  crop: boolean;
  midEpoch?: boolean;
  json?: boolean;
}

export function predictCommand(): Command {
  const command = new Command('predict')
    .description('say what images show, by a saved run')
    .usage('[options] [run] <image...>')
    .argument(
      '<image...>',
      'PNG or JPEG files, - (stdin) or test:N; the run (default: the newest in ./runs) first',
      addWord,
    );
  return addPlaceOptions(command)
    .option('--invert', 'invert the images, as of dark objects on a light background (default: where it is light)')
    .option('--no-invert', 'take the images as bright objects on a dark background')
    .option('--no-crop', 'keep all of an image, instead of cutting the object out')
    .addOption(midEpochOption())
    .option('--json', 'print JSON')
    .action((words: string[], flags: PredictFlags) => withSession(flags, (session) => predict(words, flags, session)));
}

/** An unset shell variable would otherwise name the working directory. */
function addWord(word: string, before: string[] = []): string[] {
  if (word !== '') return [...before, word];
  throw new InvalidArgumentError('Expected an image or a run, got nothing.');
}

async function predict(words: string[], flags: PredictFlags, session: Session): Promise<void> {
  const { terminal, signal } = session;
  const { run: named, images: asked } = splitWords(words);
  let images: AskedImage[] = [];
  const opened = await openRun(named, flags, session, async (run, config) => {
    images = await askedImages(asked, { run, config }, flags, session);
  });
  const { run, config } = opened;
  const [{ loadModel }, { predictionsOf }, { classNames }, { TEXTS }] = await Promise.all([
    import('../run/checkpoints.js'),
    import('../train/predictions.js'),
    import('../report/page/runRecord.js'),
    import('../report/page/texts/index.js'),
  ]);
  const { model, ...progressed } = await loadModel(run, config, flags.midEpoch);
  const pixels = Buffer.concat(images.map((image) => image.pixels));
  const said = await predictionsOf(model, { ...sizeOf(config), count: images.length, images: pixels }, signal);
  const count = said.probabilities.length / images.length;
  const predictions = images.map((image, i) => ({
    ...image,
    class: said.classes[i] ?? 0,
    probabilities: [...said.probabilities.subarray(i * count, (i + 1) * count)],
  }));
  const classes = classNames(config, TEXTS.en.run);
  if (!flags.json) return print(predictions, { ...opened, ...progressed, classes }, flags, session);
  const about = aboutRun({ ...opened, ...progressed });
  terminal.printJson({ ...about, statistics: statisticsOf(config), classes, predictions: predictions.map(forJson) });
}

const sizeOf = ({ width = 28, height = 28 }: RunConfig) => ({ width, height });

/** All of them before anything is computed; the data set only where it is asked for. */
async function askedImages(
  asked: string[],
  { run, config }: { run: string; config: RunConfig },
  flags: PredictFlags,
  session: Session,
): Promise<AskedImage[]> {
  const { crop, invert } = flags;
  const isFashion = (config.data?.name ?? 'Fashion-MNIST') === 'Fashion-MNIST';
  const options = { ...sizeOf(config), crop: crop && isFashion, invert };
  const images = new Map<string, AskedImage>();
  for (const each of asked) if (!isTest(each)) images.set(each, await fromFile(each, options));
  if (images.size < new Set(asked).size) {
    const { test } = await loadOwnData(run, config, flags, session);
    for (const each of asked.filter(isTest)) images.set(each, fromTest(each, test));
  }
  return asked.flatMap((each) => images.get(each) ?? []);
}

/** By which statistics batch normalization is computed, where there is any. */
function statisticsOf({ norm, recalibrated }: RunConfig): 'moving average' | 'population' | null {
  return norm === 'none' ? null : recalibrated ? 'population' : 'moving average';
}

interface Predicted extends AskedImage {
  class: number;
  probabilities: number[];
}

function forJson({ name, pixels: _, framed, label, ...said }: Predicted): object {
  const { pixels: _pixels, width: _width, height: _height, ...preparation } = framed ?? {};
  return { image: name, ...said, label: label ?? null, preparation: framed ? preparation : null };
}

async function print(
  predictions: Predicted[],
  { run, config, position, classes }: { run: string; config: RunConfig; position: Position; classes: string[] },
  { invert }: PredictFlags,
  { terminal }: Session,
): Promise<void> {
  const [{ runLine }, { predictionLines, preparationNotes }, { resized }] = await Promise.all([
    import('../report/lines.js'),
    import('../report/predictionLines.js'),
    import('../data/image/area.js'),
  ]);
  const statistics = statisticsOf(config);
  const by = statistics === 'moving average' ? ', by the moving average' : '';
  terminal.print(`${runLine(run, config, position)}${by}`);
  const [{ width, height }, columns] = [sizeOf(config), terminal.resultColumns()];
  const scale = Math.min(1, ((columns ?? 80) - 1) / width);
  for (const { name, pixels, framed, probabilities, label } of predictions) {
    const whole = { left: 0, top: 0, width, height };
    const [across, down] = [Math.max(1, Math.floor(width * scale)), Math.ceil(height * scale)];
    const picture = scale === 1 ? { width, pixels } : resized({ width, height, pixels }, whole, across, down);
    const notes = framed ? preparationNotes(framed, invert !== undefined) : [];
    terminal.print('', ...predictionLines({ name, notes, probabilities, label }, picture, { classes, columns }));
  }
}
