/** Section: where a run's figures come from, and how to have them again. */
import { formatBytes } from '../../../common/format.js';
import type { RunConfig } from '../../../run/config.js';
import { formatNumber } from '../../live/numbers.js';
import type { Section } from '../document.js';
import { type Html, markup } from '../markup.js';
import type { RunRecord } from '../runRecord.js';
import type { Texts } from '../texts/index.js';

export function provenanceSection(
  { folder, config }: RunRecord,
  { run: { provenance: texts, norms }, page }: Texts,
): Section {
  const { learningRate, batchSize, epochs, momentum, epsilon, seed, norm, data, machine, versions, recalibrated } =
    config;
  const facts: [string, string][] = [
    [texts.folder, folder],
    [texts.started, config.started],
    ...(recalibrated
      ? [[texts.recalibrated, texts.recalibratedText(recalibrated.from, recalibrated.images)] as [string, string]]
      : []),
    [texts.seed, String(seed)],
    [
      texts.recipe,
      page.lists([
        norms[norm],
        texts.recipeText(learningRate, batchSize, epochs),
        ...(norm === 'none' ? [] : [texts.normText(momentum, formatNumber(epsilon))]),
      ]),
    ],
    [texts.data, data ? `${data.name}, ${texts.sha(data.sha256)}` : 'Fashion-MNIST'],
    [texts.machine, `${machine.cpu}, ${texts.cores(machine.cores, formatBytes(machine.memory))}, ${machine.platform}`],
    [texts.backend, texts.backendText({ ...config, ...gpuOf(config) })],
    [texts.versions, page.list(Object.entries(versions).map((pair) => pair.join(' ')))],
  ];
  const body = markup`<p>${texts.again}</p>
${commandLine(commandOf(config), page)}
<dl class="facts">${facts.map(([name, value]) => markup`<dt>${name}</dt><dd>${value}</dd>\n`)}</dl>
<h3>${texts.files}</h3>
<dl class="facts">${Object.entries(texts.glossary).map(([name, value]) => markup`<dt><code>${name}</code></dt><dd>${value}</dd>\n`)}</dl>`;
  return { id: 'provenance', title: texts.title, body };
}

/** One of this program's commands with the button that copies it; its name is that of an installed one, for any reader. */
export function commandLine(command: string, { copy, copied }: Texts['page']): Html {
  return markup`<div class="command"><code>bn-train ${command}</code><button type="button" class="copy" value="${copied}" disabled>${copy}</button></div>`;
}

function gpuOf({ machine: { gpu }, versions: { tensorflow } }: RunConfig) {
  return { ...(gpu !== undefined && { gpu }), ...(tensorflow !== undefined && { tensorflow }) };
}

/** With the flags that differ from what the command does by itself. */
function commandOf(config: RunConfig): string {
  const { norm, learningRate, epochs, batchSize, seed, momentum, epsilon, population, xla, mode, data, device } =
    config;
  const flags = [
    ...(learningRate === 1 ? [] : [`--lr ${learningRate}`]),
    ...(epochs === 10 ? [] : [`--epochs ${epochs}`]),
    ...(batchSize === 256 ? [] : [`--batch-size ${batchSize}`]),
    `--seed ${seed}`,
    ...(momentum === 0.9 ? [] : [`--momentum ${momentum}`]),
    ...(epsilon === 1e-5 ? [] : [`--epsilon ${epsilon}`]),
    ...(population === false ? ['--no-population'] : []),
    ...(mode === 'eager' ? ['--eager'] : []),
    ...(mode === 'graph' && device === 'cpu' ? ['--no-fuse'] : []),
    ...(xla === true ? ['--xla'] : []),
    ...(data && data.name !== 'Fashion-MNIST' ? ['--any-data --data-dir DIR'] : []),
  ];
  return [norm, ...flags].join(' ');
}
