/** Section: a channel's real values on their way through batch normalization, with sliders where there is a script. */
import type { LayerParameters } from '../../../run/parameters.js';
import type { LayerActivations } from '../../../train/activations.js';
import type { Review } from '../../../train/review.js';
import { panelsOf, type Passage, type Passing } from '../../live/passage.js';
import type { Section } from '../document.js';
import { embedded } from '../embedded.js';
import { renderChart } from '../figure.js';
import { Html, markup } from '../markup.js';
import type { Texts } from '../texts/index.js';

/** Undefined where there is no channel to show. */
export function stepsSection(
  { activations: { images, layers } }: Review,
  parameters: LayerParameters[],
  names: string[],
  { run: { steps: texts }, page }: Texts,
): Section | undefined {
  const channels = layers.flatMap((layer, i) =>
    passingOf(layer, parameters[i], (c) => texts.channelName(names[i] ?? '', c)),
  );
  const [first] = channels;
  if (!first) return undefined;
  const { panels, value, share, summary } = texts;
  const words = { panels, value, share, summary };
  const passage: Passage = { channels, texts: words };
  const drawn = panelsOf(first, first, words).map(({ spec, summary: said }, i) => {
    const figure = { id: `steps-${i + 1}`, title: panels[i] ?? '', texts: page.figure, height: 200 };
    return markup`<div>${new Html(renderChart(spec, figure))}<p class="note summary">${said}</p></div>`;
  });
  const slider = (name: string, label: string) =>
    markup`<label><span>${label}</span><output name="${name}"></output><input type="range" name="${name}"></label>`;
  const body = markup`<p>${texts.lead(images)}</p>
<p class="note">${texts.shown(first.name)}</p>
<div class="controls" hidden>
<p class="wide note">${texts.play}</p>
<label class="wide"><span>${texts.channel}</span> <select>${channels.map(({ name }, i) => markup`<option value="${i}">${name}</option>`)}</select></label>
${slider('mean', texts.mean)}
${slider('deviation', texts.deviation)}
${slider('gamma', texts.gamma)}
${slider('beta', texts.beta)}
<div class="wide"><button type="button" class="plain" value="batch">${texts.batch}</button><button type="button" class="plain" value="moving">${texts.moving}</button></div>
${embedded(passage)}
</div>
<div class="pair">${drawn}</div>`;
  return { id: 'steps', title: texts.title, body };
}

function passingOf(
  { channels = [], epsilon = 0 }: LayerActivations,
  parameters: LayerParameters | undefined,
  nameOf: (channel: number) => string,
): Passing[] {
  const deviation = (variance: number) => Math.sqrt(variance + epsilon);
  return channels.map(({ mean, variance, gamma, beta, x }, c) => ({
    name: nameOf(c + 1),
    ...{ mean, deviation: deviation(variance), gamma, beta },
    moving: {
      mean: parameters?.movingMean?.[c] ?? mean,
      deviation: deviation(parameters?.movingVariance?.[c] ?? variance),
    },
    x: [...x],
  }));
}
