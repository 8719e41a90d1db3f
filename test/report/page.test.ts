/** Pages of runs: made from folders alone, the same each time, safe whatever a folder says, in two languages. */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { inflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { markup } from '../../src/report/page/markup.js';
import { pngAddress } from '../../src/report/page/png.js';
import { type Language, LANGUAGES, TEXTS } from '../../src/report/page/texts/index.js';
import { pageOf } from '../../src/report/page/writePage.js';
import type { RunConfig } from '../../src/run/config.js';
import { firstOf } from '../support/amount.js';
import { root, runProgram } from '../support/program.js';
import { writeSmallData } from '../support/smallData.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-page-'));
afterAll(() => rm(work, { recursive: true }));
const inWork = (name: string) => path.join(work, name);

/** Of its own, with an evaluation; the others are from before there were any. */
const RUN = inWork('run');

beforeAll(async () => {
  for (const name of ['scratch-finished', 'none-finished', 'scratch-mid-epoch', 'scratch-interrupted'])
    execFileSync('tar', ['-xzf', path.join(root, `test/fixtures/${name}.tar.gz`)], { cwd: work });
  const { args, env } = await writeSmallData(inWork('data'), 600, 300);
  const train = ['scratch', '--eager', '--epochs', '2', '--seed', '1', '--run-dir', 'run', ...args];
  const { code, stderr } = await runProgram(train, { cwd: work, env });
  expect(code, stderr).toBe(0);
  expect(stderr).toContain("to look at it in a browser: bn-train report --open 'run'\n");
});

const made = new Map<Language, Promise<string>>();
/** Of the run, in a language; of which one serves several tests. */
function pageIn(language: Language): Promise<string> {
  const page = made.get(language) ?? pageOf([RUN], language);
  made.set(language, page);
  return page;
}

/** What a reader is shown, without the script. */
const shown = (page: string) => page.slice(0, page.lastIndexOf('<script type="module">'));
const idsOf = (page: string) => [...page.matchAll(/<section id="([^"]+)"/g)].map(([, id]) => id);
const changed = (name: string, file: string, change: (content: string) => string) => {
  rmSync(inWork(name), { recursive: true, force: true });
  cpSync(RUN, inWork(name), { recursive: true });
  writeFileSync(path.join(inWork(name), file), change(readFileSync(path.join(RUN, file), 'utf8')));
  return inWork(name);
};

describe('the page of a run', () => {
  it('has every section, in both languages, and is the same each time', async () => {
    const [en, zh] = [await pageIn('en'), await pageIn('zh')];
    expect((await pageOf([RUN], 'en')) === en).toBe(true);
    expect(idsOf(en)).toEqual([
      ...['curves', 'steps', 'activations', 'company', 'learned', 'filters'],
      ...['gallery', 'mistakes', 'confusion', 'provenance'],
    ]);
    expect(idsOf(zh)).toEqual(idsOf(en));
    expect([/<html lang="[^"]+"/.exec(en)?.[0], /<html lang="[^"]+"/.exec(zh)?.[0]]).toEqual([
      '<html lang="en"',
      '<html lang="zh-CN"',
    ]);
  });

  it('asks nothing of a network, and its policy allows no script but its own', async () => {
    const page = await pageIn('en');
    const addresses = [...shown(page).matchAll(/\s(?:src|href|action|data)="([^"]*)"/g)].map(([, address]) => address);
    expect(addresses.filter((address) => !/^(#|data:image\/png;)/.test(address ?? ''))).toEqual([]);
    expect(page).toMatch(
      /Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;; img-src data:; script-src &#39;sha256-/,
    );
    expect([...page.matchAll(/<script(?! type="application\/json">)[^>]*>/g)].map(([tag]) => tag)).toEqual([
      '<script type="module">',
    ]);
  });

  it('has 1.5 MB at most, and takes 2 seconds of a processor at most', async () => {
    const before = process.cpuUsage();
    const page = await pageOf([RUN], 'en');
    const { user, system } = process.cpuUsage(before);
    expect(Buffer.byteLength(page)).toBeLessThan(1.5e6);
    expect((user + system) / 1e6).toBeLessThan(2);
  });

  it('has no markup of what a folder says', async () => {
    const evil = `</script><script>alert("1")</script><img src=x onerror='alert(2)'>&amp;`;
    const folder = changed(`evil "><b>`, 'config.json', (content) => {
      const config = JSON.parse(content) as Record<string, unknown>;
      const machine = { ...(config['machine'] as object), cpu: evil, platform: evil, gpu: evil };
      const data = { ...(config['data'] as object), name: evil };
      return JSON.stringify({ ...config, machine, data, started: evil, versions: { [evil]: evil } });
    });
    for (const folders of [[folder], [folder, RUN]]) {
      const page = shown(await pageOf(folders, 'en'));
      expect(page).not.toMatch(/<img src=x|<script>|"><b>|<\/script><script>/);
      expect(page).toContain('&#60;b&#62;');
    }
    expect(shown(await pageOf([folder], 'zh'))).toContain('&#60;/script&#62;&#60;script&#62;alert(&#34;1&#34;)');
  });

  it.each(LANGUAGES)('without an evaluation is shorter, and says so: %s', async (language) => {
    const page = await pageOf([inWork('scratch-finished')], language);
    expect(idsOf(page)).toEqual(['curves', 'learned', 'filters', 'provenance']);
    expect(shown(page)).toContain(TEXTS[language].run.result.noReview);
    expect(shown(page)).toMatch(/<code>bn-train scratch --resume &#39;[^<]*scratch-finished&#39;<\/code>/);
  });

  it('that has not ended has what it learned so far, and says so', async () => {
    const page = await pageOf([inWork('scratch-interrupted')], 'en');
    expect(page).toContain(TEXTS.en.run.result.unfinished(1, 2));
  });

  it('that went on beyond an evaluation passes over it', async () => {
    const folder = changed('further', 'config.json', (content) => content.replace('"epochs": 2', '"epochs": 3'));
    const page = await pageOf([folder], 'en');
    expect(idsOf(page)).not.toContain('gallery');
    expect(page).toContain(TEXTS.en.run.result.unfinished(2, 3));
  });

  it.each(LANGUAGES)('that is a recalibrated copy names the run it is a copy of: %s', async (language) => {
    const folder = changed('recalibrated', 'config.json', (content) => {
      const config = JSON.parse(content) as RunConfig;
      const { device, versions, machine, backend, started: at } = config;
      const recalibrated = { device, versions, machine, backend, at, from: 'runs/first', images: 600 };
      return JSON.stringify({ ...config, recalibrated });
    });
    const { recalibratedText } = TEXTS[language].run.provenance;
    expect(shown(await pageOf([folder], language))).toContain(recalibratedText('runs/first', 600));
  });

  it('without batch normalization has no γ', async () => {
    expect(idsOf(await pageOf([inWork('none-finished')], 'en'))).toEqual(['curves', 'filters', 'provenance']);
  });

  it.each<{ change: Partial<RunConfig>; lines: string[] }>([
    { change: {}, lines: ['reference run, test 0.807', 'reference run, train 0.899'] },
    { change: { norm: 'builtin' }, lines: ['reference run, test 0.708', 'reference run, train 0.902'] },
    { change: { norm: 'none' }, lines: [] },
    { change: { learningRate: 0.5 }, lines: [] },
  ])('by the recipe has what was published with it drawn beside its curves: $change', async ({ change, lines }) => {
    const folder = changed('reference', 'config.json', (content) =>
      JSON.stringify({ ...(JSON.parse(content) as RunConfig), epochs: 10, ...change }),
    );
    const page = shown(await pageOf([folder], 'en'));
    const said = [...page.matchAll(/>(reference run, \w+ [\d.]+)</g)].map(([, line]) => line);
    expect(said.sort()).toEqual([...lines, ...lines].sort());
  });

  it('says which commit it was computed by, and breaks no line before a percent sign', async () => {
    const folder = changed('commit', 'config.json', (content) => {
      const config = JSON.parse(content) as RunConfig;
      return JSON.stringify({ ...config, versions: { ...config.versions, commit: '0123456789ab+changes' } });
    });
    for (const language of LANGUAGES) {
      const page = shown(await pageOf([folder], language));
      expect(page).toContain('commit 0123456789ab+changes');
      expect(page).toMatch(/\d\u00a0%/);
      expect(page).not.toMatch(/\d %/);
    }
  });
});

describe('the page of several runs', () => {
  it('has them in one table and in the same charts', async () => {
    const page = shown(await pageOf([RUN, inWork('none-finished')], 'en'));
    expect(idsOf(page)).toEqual(['table', 'curves', 'each']);
    expect(page).toContain(`1: ${path.basename(RUN)}<`);
    expect(page).toContain('2: none, seed 1');
    // In the table is what differs, as wide as the page is.
    const [, head = ''] = /<section id="table"[^>]*>.*?<thead>(.*?)<\/thead>/s.exec(page) ?? [];
    const columns = [...head.matchAll(/<th scope="col">([^<]*)/g)].map(([, name]) => name);
    expect(columns.slice(0, 4)).toEqual(['Run', 'Batch normalization', 'Epochs', 'loss (nats)']);
    expect(page).toMatch(/The same in all: learning rate 1, batch size \d+, seed 1\./);
  });

  it('names them in full where they are not in one folder', async () => {
    const nested = inWork('nested/none');
    cpSync(inWork('none-finished'), nested, { recursive: true });
    expect(shown(await pageOf([RUN, nested], 'zh'))).toContain(`2: ${nested}<`);
  });

  it('has seeds as dots, and runs by their normalization where they are many', async () => {
    const page = shown(await pageOf(Array<string>(7).fill(RUN), 'en'));
    expect(idsOf(page)).toEqual(['table', 'dots', 'curves', 'each']);
    expect(page).not.toContain('1: from scratch');
  });
});

/** A comparison's folder, with its runs in it: their norms, and whether each came to its end. */
function comparisonOf(name: string, runs: Record<string, boolean>): string {
  const {
    norm: _,
    seed: _seed,
    ...config
  } = JSON.parse(readFileSync(path.join(inWork('scratch-finished'), 'config.json'), 'utf8')) as RunConfig;
  const result = { loss: 0.5, trainAccuracy: 0.8, testAccuracy: 0.7, testAccuracyPopulation: null };
  const final = { ...result, populationImages: null, examplesPerSecond: 1000, seconds: 1 };
  mkdirSync(inWork(name));
  const compared = Object.entries(runs).map(([norm, isFinished]) => {
    cpSync(inWork(`${norm}-finished`), path.join(inWork(name), norm), { recursive: true });
    const common = { norm, seed: 1, folder: norm, mode: 'graph', epochs: [], wallSeconds: 2 };
    return { ...common, final: isFinished ? final : null };
  });
  writeFileSync(inWork(`${name}/comparison.json`), JSON.stringify({ config, seeds: [1], runs: compared }));
  return inWork(name);
}

describe('the page of a comparison', () => {
  it('is that of its finished runs, or of the only one', async () => {
    const both = shown(await pageOf([comparisonOf('both', { scratch: true, none: true })], 'en'));
    expect(idsOf(both)).toEqual(['table', 'curves', 'each']);
    for (const run of ['1: scratch', '2: none']) expect(both).toContain(`${run}<`);
    const one = await pageOf([comparisonOf('one', { scratch: true, none: false })], 'en');
    expect(idsOf(one)).toEqual(['curves', 'learned', 'filters', 'provenance']);
  });

  it('is refused as long as no run has come to its end', async () => {
    const folder = comparisonOf('unfinished', { scratch: false });
    await expect(pageOf([folder], 'en')).rejects.toMatchObject({
      message: `Cannot make a page of ${folder}: expected at least one finished run, got none`,
    });
  });
});

describe('no page is made', () => {
  it.each<[string, () => string[], string]>([
    ['of a folder without a run', () => [work], 'Cannot read the run '],
    ['of a run without a finished epoch', () => [inWork('scratch-mid-epoch')], 'Cannot read the model of '],
    [
      'of a study among runs',
      () => {
        mkdirSync(inWork('study'), { recursive: true });
        writeFileSync(inWork('study/study.json'), '{}');
        return [inWork('study'), RUN];
      },
      'Cannot make a page: expected one study, or runs alone, got 2 folders with a study among them',
    ],
    [
      'of damaged events',
      () => [
        changed('events', 'events.jsonl', (content) => content.replace(/"loss":[\d.]+([^\n]*\n)$/, '"loss":"x"$1')),
      ],
      'expected the result of a run in its last line, got no loss that is a number',
    ],
    [
      'of an end that is no JSON',
      () => [changed('half', 'events.jsonl', (content) => `${content.trimEnd()},\n`)],
      'expected the result of a run in its last line, got Unexpected',
    ],
    [
      'of a damaged evaluation',
      () => [changed('evaluation', 'evaluation.json', (content) => content.replace('"version":1', '"version":9'))],
      'expected version to be 1, the one that this program reads, got 9',
    ],
  ])('%s', async (_, folders, message) => {
    await expect(pageOf(folders(), 'en')).rejects.toThrow(message);
  });

  it('of events that cannot be read', async () => {
    const folder = changed('folder', 'metrics.csv', (content) => content);
    rmSync(path.join(folder, 'events.jsonl'));
    mkdirSync(path.join(folder, 'events.jsonl'));
    await expect(pageOf([folder], 'en')).rejects.toThrow("events.jsonl: expected a run's events, got a folder");
  });
});

describe('bn-train report', () => {
  const report = (args: string[], env: Record<string, string> = {}) =>
    runProgram(['report', ...args], { cwd: work, env });

  it('takes the newest run, writes its page into it, and says where', async () => {
    mkdirSync(inWork('runs'), { recursive: true });
    cpSync(RUN, inWork('runs/newest'), { recursive: true });
    expect(await report([])).toEqual({ code: 0, signal: null, stdout: 'runs/newest/report.html\n', stderr: '' });
    expect(readFileSync(inWork('runs/newest/report.html'), 'utf8')).toBe(
      (await pageIn('en')).replaceAll(RUN, 'runs/newest'),
    );
  });

  it.each(
    firstOf(
      [
        { browser: 'takes it', script: '#!/bin/sh\necho "$1" > opened', said: '' },
        { browser: 'fails', script: '#!/bin/sh\nexit 3', said: 'nothing here opens pages; open ' },
        { browser: 'is none', script: undefined, said: 'nothing here opens pages; open ' },
      ],
      1,
    ),
  )('opens it where a browser $browser', async ({ browser, script, said }) => {
    const bin = inWork(`bin-${browser.replaceAll(' ', '-')}`);
    mkdirSync(bin);
    symlinkSync(process.execPath, path.join(bin, 'node'));
    for (const name of ['open', 'xdg-open']) {
      if (script === undefined) continue;
      writeFileSync(path.join(bin, name), script);
      chmodSync(path.join(bin, name), 0o755);
    }
    const { code, stdout, stderr } = await report(['run', '--open', '--lang', 'zh', '--output', 'out.html'], {
      PATH: bin,
    });
    expect([code, stdout]).toEqual([0, 'out.html\n']);
    const file = inWork('out.html');
    expect(stderr).toBe(said === '' ? '' : `${said}${file}\n`);
    if (said === '') expect(readFileSync(inWork('opened'), 'utf8')).toBe(`${file}\n`);
  });

  it.each(
    firstOf(
      [
        [
          ['run', '--output', 'nowhere/x.html'],
          /^Cannot write nowhere\/x\.html: expected room and permission, got no such file or folder\nhint: name another file with --output\n$/,
        ],
        [['run', '--output', ''], /Expected a file's name, got/],
        [['run', '--lang', 'fr'], /Allowed choices are en, zh/],
        [[''], /Expected a folder, got nothing/],
      ],
      1,
    ),
  )('refuses %j', async (args, words) => {
    expect((await report(args)).stderr).toMatch(words);
  });
});

describe('words', () => {
  type Words = { [key: string]: unknown };
  const flat = (words: unknown, at = ''): [string, unknown][] =>
    typeof words === 'object' && words !== null
      ? Object.entries(words as Words).flatMap(([key, value]) => flat(value, `${at}.${key}`))
      : [[at, words]];

  it('are the same ones in both languages, none of them empty', () => {
    const [en, zh] = [flat(TEXTS.en), flat(TEXTS.zh)];
    expect(zh.map(([key, value]) => [key, typeof value])).toEqual(en.map(([key, value]) => [key, typeof value]));
    expect([...en, ...zh].filter(([, value]) => value === '')).toEqual([]);
    expect(en.length).toBeGreaterThan(150);
  });

  it('are Chinese where they are words', () => {
    const latin = flat(TEXTS.zh).filter(([, value]) => typeof value === 'string' && !/\p{Script=Han}/u.test(value));
    expect(latin.map(([key]) => key).filter((key) => !key.startsWith('.study'))).toEqual([
      '.page.lang',
      '.run.curves.nats',
      ...['.run.steps.panels.1', '.run.steps.panels.2'],
    ]);
  });
});

it('text in markup is escaped, and markup in it is not', () => {
  const item = markup`<li>${'<&"\''}</li>`;
  expect(markup`<ul class="${'"x'}">${[item, 'a', 1]}${undefined}</ul>`.toString()).toBe(
    '<ul class="&#34;x"><li>&#60;&#38;&#34;&#39;</li>a1</ul>',
  );
});

it('an image is a PNG, its rows unfiltered and its checksums right', () => {
  const pixels = Uint8Array.from({ length: 6 }, (_, i) => 40 * i);
  const bytes = Buffer.from(pngAddress(pixels, 3, 2).split(',')[1] ?? '', 'base64');
  const data = bytes.subarray(bytes.indexOf('IDAT') + 4, bytes.indexOf('IEND') - 8);
  expect([...inflateSync(data)]).toEqual([0, 0, 40, 80, 0, 120, 160, 200]);
  // That of an empty IEND is known.
  expect(bytes.subarray(-12).toString('hex')).toBe('0000000049454e44ae426082');
});
