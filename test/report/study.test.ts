/** The page of a study, of made-up trials that are judged as real ones are: complete, in both languages, and small enough. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { LineSpec } from '../../src/report/live/spec.js';
import { pack, unpack } from '../../src/report/live/packed.js';
import { liveScript } from '../../src/report/page/liveScript.js';
import { explorerSection } from '../../src/report/page/study/explorer.js';
import { effectSpec } from '../../src/report/page/study/pictures.js';
import { specOf } from '../../src/report/page/study/pictures.js';
import { studyPage } from '../../src/report/page/study/studyPage.js';
import { TEXTS } from '../../src/report/page/texts/index.js';
import { claims } from '../../src/report/page/texts/claims.zh.js';
import { CLAIM_IDS } from '../../src/study/registration.js';
import type { StudyResult } from '../../src/study/result.js';
import { madeUpStudy } from '../support/madeUpStudy.js';

const { study, records } = madeUpStudy(false);
const quick = madeUpStudy(true);
let script: string;
beforeAll(async () => {
  script = await liveScript();
});

/** The texts of a result that readers see, by the names of their fields. */
function textsOf(value: unknown, key = ''): string[] {
  const shown = ['name', 'measure', 'unit', 'criterion', 'why', 'remarks', 'rows'];
  if (typeof value === 'string') return shown.includes(key) ? [value] : [];
  if (Array.isArray(value)) return value.flatMap((one) => textsOf(one, key));
  return Object.entries(value ?? {}).flatMap(([name, inner]) => textsOf(inner, name));
}

it('verdicts stand first, then every claim with its question, criterion, literature and provenance, then the grid', () => {
  const html = studyPage(study, records, TEXTS.en, script);
  const ids = [...html.matchAll(/<section id="([^"]+)"/g)].map(([, id]) => id);
  expect(ids).toEqual(['verdicts', ...CLAIM_IDS, 'explorer']);
  for (const claim of study.claims) {
    const section = html.slice(html.indexOf(`<section id="${claim.claim}"`));
    const plain = section
      .slice(0, section.indexOf('</section>'))
      .replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
    for (const text of [claim.question, claim.text, claim.criterion, claim.literature.source, study.registration])
      expect(plain).toContain(TEXTS.en.study.phrase(text).replaceAll(' %', '\u00a0%'));
    expect(plain).toContain(`<code>bn-train study ${claim.claim}</code>`);
    for (const picture of claim.pictures) expect(plain.toLowerCase()).toContain(picture.name.toLowerCase());
  }
  // With the notices and the script in it.
  expect(Buffer.byteLength(html)).toBeLessThan(1.5e6);
  expect(html.slice(0, html.indexOf('<script type="module">'))).not.toMatch(/NaN|undefined|\[object/);
});

it('the same study gives the same bytes', () => {
  const once = studyPage(quick.study, quick.records, TEXTS.zh, '');
  expect(once).toContain('<code>bn-train study --quick</code>');
  // Of some claims, these alone are computed again.
  const some = { ...quick.study, claims: quick.study.claims.slice(0, 1), left: [] };
  expect(studyPage(some, [], TEXTS.en, '')).toContain(`<code>bn-train study ${some.claims[0]?.claim} --quick</code>`);
  expect(studyPage(quick.study, quick.records, TEXTS.zh, '')).toBe(once);
  expect(once).toContain(TEXTS.zh.study.quick.replaceAll(' %', '\u00a0%'));
  for (const { claim } of quick.study.left) expect(once).toContain(TEXTS.zh.study.titles[claim]);
});

it('colors stand for the same networks in every picture', () => {
  const pictures = study.claims.flatMap((claim) => claim.pictures);
  const lines = pictures.map((picture) => specOf(picture, TEXTS.en.study)).filter((spec) => spec.kind === 'lines');
  const series = lines.flatMap((spec) => spec.series);
  const tonesOf = (name: RegExp) => [...new Set(series.filter((one) => name.test(one.name)).map(({ tone }) => tone))];
  expect(tonesOf(/^(none|without)( batch normalization)?$/)).toEqual([1]);
  expect(tonesOf(/^(with )?batch normalization$/)).toEqual([0]);
  expect(tonesOf(/^batch normalization with noise$/)).toEqual([2]);
  expect(tonesOf(/^none, (training|test) images$/)).toEqual([1, 4]);
  expect(tonesOf(/^batch normalization, training images$/)).toEqual([0]);
});

describe('in Chinese', () => {
  it('every claim has its own words', () => {
    expect(Object.keys(claims)).toEqual(CLAIM_IDS);
    expect(Object.keys(TEXTS.en.study.titles)).toEqual(CLAIM_IDS);
  });

  it.each(study.claims)('$claim says the same numbers', (claim) => {
    const numbersOf = (text: string) => [...new Set(text.match(/\d[\d,.]*\d|\d/g))].sort();
    const said = TEXTS.zh.study.said(claim);
    expect(numbersOf(said.hypothesis)).toEqual(numbersOf(claim.hypothesis));
    expect(numbersOf(said.question)).toEqual(numbersOf(claim.question));
    expect(numbersOf(said.literature)).toEqual(numbersOf(claim.literature.text));
  });

  it('no measure, axis, line, criterion or remark stays English', () => {
    const all = [study, quick.study].flatMap((one) => [...textsOf(one.claims), ...textsOf(one.left)]);
    const left = [...new Set(all)].filter((text) => {
      const said = TEXTS.zh.study.phrase(text).replaceAll(/sigmoid|ReLU|log10|nat\b/g, '');
      return /[a-z]{2}/i.test(said);
    });
    expect(all.length).toBeGreaterThan(200);
    expect(left).toEqual([]);
  });

  it('what nobody translated is shown as it is', () =>
    expect(TEXTS.zh.study.phrase('a new measure')).toBe('a new measure'));

  it.each([
    ['interval wholly below -0.02 nats', '区间完全低于 −0.02 nat'],
    ['interval wholly above 1 percentage point', '区间完全高于 1 个百分点'],
    ['interval wholly between -1 and 1 percentage points', '区间完全介于 −1 与 1 个百分点之间'],
    ['every seed below 0.001', '每个随机种子都低于 0.001'],
    ['none: the limit lies between 1 and 3.', '无批量规范化：界限在 1 与 3 之间。'],
    ['none: the limit lies 100 or above, or between 1 and 3.', '无批量规范化：界限为 100 或更高，或在 1 与 3 之间。'],
    [
      "none: for 2 of 5 seeds the limit lies outside the rates that they ran at; the tuning seeds' is taken there.",
      '无批量规范化：5 个随机种子中有 2 个的界限在所试学习率之外，此时采用调参种子的界限。',
    ],
    [
      '3 of 5 runs of none never reached a training loss of 1; their steps are bounds.',
      '无批量规范化的 5 次训练中有 3 次始终没有达到训练损失 1；它们的步数是下界。',
    ],
  ])('%s', (english, chinese) => expect(TEXTS.zh.study.phrase(english)).toBe(chinese));
});

describe('the chart of a part', () => {
  const [convergence] = study.claims.filter(({ claim }) => claim === 'convergence');
  const part = (convergence as StudyResult['claims'][number]).parts[0] ?? expect.fail();

  it('has every seed, both intervals, the margins and what the literature found', () => {
    const spec = effectSpec(part, 14, TEXTS.en.study);
    expect(spec.groups[0]).toMatchObject({
      values: part.seeds.map(({ value }) => value),
      mean: part.effect,
      intervals: [{ name: '99.5 %' }, { name: '95 %' }],
    });
    expect(spec.references).toEqual([
      { name: 'margin 1.5', y: 1.5 },
      { name: 'literature 14', y: 14 },
    ]);
  });

  it('shows bounds as such, and one interval where both are of one level', () => {
    const bounds = { ...part, seeds: part.seeds.map((seed) => ({ ...seed, bound: true })), interval: part.interval95 };
    expect(effectSpec(bounds, null, TEXTS.en.study).groups[0]).toMatchObject({
      bounds: part.seeds.map(() => true),
      intervals: [{ name: '95 %' }],
    });
  });
});

it('lines keep their places when they are packed, whether they have them in common or not', () => {
  const line = (x: number[]) => ({ name: 'a < b', tone: 0, x, y: x });
  const spec: LineSpec = {
    kind: 'lines',
    x: { name: 'x' },
    y: { name: 'y' },
    series: [line([1, 2]), line([1, 2]), line([3]), line([1, 2])],
  };
  expect(pack(spec)).not.toContain('<');
  expect(unpack(pack(spec))).toEqual(spec);
});

describe('the grid of trainings', () => {
  it('has a cell for each learning rate and network, with the accuracy of its seeds', () => {
    const body = explorerSection(records, TEXTS.en)?.body.toString() ?? '';
    const buttons = [...body.matchAll(/aria-pressed="(\w+)" aria-label="([^"]+)"/g)];
    expect(buttons).toHaveLength(16);
    expect(buttons.filter(([, pressed]) => pressed === 'true').map(([, , label]) => label)).toEqual([
      expect.stringMatching(/^batch normalization, learning rate 1: training accuracy 0\.\d\d$/),
    ]);
    expect(body).toContain('<small>3 diverged</small>');
  });

  it('is left out where no two learning rates were run alike', () => {
    const [one] = records.filter(({ losses }) => losses.length > 0);
    expect(explorerSection(one ? [one] : [], TEXTS.en)).toBeUndefined();
    expect(explorerSection([], TEXTS.en)).toBeUndefined();
  });
});
