/** The page of one run: its result, how it came to it, and what the network is like. */
import { quoted } from '../../common/invocation.js';
import { formatCount, formatMetric } from '../../common/format.js';
import type { Page, Section } from './document.js';
import { type Html, markup } from './markup.js';
import { classNames, layerNames, type RunRecord } from './runRecord.js';
import { activationsSection } from './sections/spreads.js';
import { companySection } from './sections/batchCompany.js';
import { confusionSection } from './sections/confusion.js';
import { curvesSection } from './sections/learningCurves.js';
import { gallerySections } from './sections/gallery.js';
import { filtersSection, learnedSection } from './sections/learned.js';
import { commandLine, provenanceSection } from './sections/provenance.js';
import { stepsSection } from './sections/channelSteps.js';
import type { Texts } from './texts/index.js';

export function runPage(record: RunRecord, texts: Texts): Omit<Page, 'script' | 'foot'> {
  const { config, weights, parameters, review } = record;
  const names = layerNames(weights, texts.run);
  const classes = classNames(config, texts.run);
  const isNormalized = config.norm !== 'none';
  const sections: (Section | undefined)[] = [
    curvesSection(record, texts),
    review && stepsSection(review, parameters, names, texts),
    review && activationsSection(review, names, texts),
    review && companySection(review, classes, texts),
    isNormalized ? learnedSection(parameters, names, texts) : undefined,
    filtersSection(weights, texts),
    ...(review ? gallerySections(review, classes, texts) : []),
    review && confusionSection(review, classes, texts, isNormalized),
    provenanceSection(record, texts),
  ];
  return {
    texts,
    title: texts.run.title(config.data?.name ?? 'Fashion-MNIST', texts.run.norms[config.norm]),
    head: headOf(record, texts),
    sections: sections.filter((section) => section !== undefined),
  };
}

/** The result in a sentence and in figures, and what is missing. */
function headOf({ folder, config, history, final, review }: RunRecord, { run: { result: texts }, page }: Texts): Html {
  const last = final ?? history.at(-1);
  if (!last) return markup``;
  const { testAccuracyPopulation: population, testAccuracy } = last;
  const share = (value: number) => `${(100 * value).toFixed(1)} %`;
  const images = review?.labels.length ?? 10_000;
  const sentence =
    population === null
      ? texts.one(images, share(testAccuracy))
      : texts.both(images, share(testAccuracy), share(population));
  const figures: [string, string][] = [
    [texts.loss, formatMetric(last.loss)],
    [texts.trainAccuracy, formatMetric(last.trainAccuracy)],
    [config.norm === 'none' ? texts.testAccuracy : texts.moving, formatMetric(testAccuracy)],
    ...(population === null ? [] : [[texts.population, formatMetric(population)] satisfies [string, string]]),
    [texts.speed, formatCount(last.examplesPerSecond)],
  ];
  const missing = markup`<p>${texts.noReview}</p>
${commandLine(`${config.norm} --resume ${quoted(folder)}`, page)}`;
  return markup`<p class="lead">${sentence}</p>
${final ? undefined : markup`<p>${texts.unfinished(history.length, config.epochs)}</p>`}
<dl class="figures">${figures.map(([name, value]) => markup`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
${review ? undefined : missing}`;
}
